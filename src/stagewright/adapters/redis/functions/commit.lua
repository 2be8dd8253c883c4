-- Applies commits to workflows of one partition, each as a whole or not at all, and then claims.
-- All that can be wrong is found before the first write.
--
-- KEYS: marks tasks queue leases timers index feed inbox letters letter_order,
--   then per commit: workflow, log
-- ARGV: now (ms), feed retention (ms), values of the claim, then per commit: shape (see SHAPE), expected step id (''
--   for none), step id, snapshot, (fenced task, token).., closed task..,
--   (new task, lane, priority, timeout ms, body).., consumed position.., (output field, output)..,
--   log record.., (timer, due ms).., cleared timer.., index member.., (letter, packed)..; then
--   the claim, as for claim
-- Answer: per commit 0 committed, 1 conflict, 2 fenced; then as for claim
--
-- A workflow is a hash: s step id, d snapshot, t open tasks, m timers, p 1 if suspended, i index
-- members, o:KEY outputs; or x alone, its tombstone.

local COMMITTED, CONFLICT, FENCED = 0, 1, 2
local FIXED_KEYS = 10

-- The sections' lengths in their order; last 0 to keep, 1 to lift, 2 to impose the suspension, and 4
-- more when the workflow ends.
local SHAPE = '>HHHHHHHHHHB'
local ENDS = 4

-- Returns where a commit begins, where its sections do, where the next commit does (END), and the
-- suspension.
local END = 12
local function sections(args, at)
  local fences, closed, new, used, outputs, records, timers, cleared, members, letters, suspend =
    struct.unpack(SHAPE, args[at])
  local closed_at = at + 4 + 2 * fences
  local new_at = closed_at + closed
  local used_at = new_at + 5 * new
  local outputs_at = used_at + used
  local records_at = outputs_at + 2 * outputs
  local timers_at = records_at + records
  local cleared_at = timers_at + 2 * timers
  local members_at = cleared_at + cleared
  local letters_at = members_at + members
  return at, at + 4, closed_at, new_at, used_at, outputs_at, records_at, timers_at, cleared_at,
    members_at, letters_at, letters_at + 2 * letters, suspend
end

local function read_workflow(workflow, args, outputs_at, records_at)
  local fields = {'s', 't', 'p'}
  for at = outputs_at, records_at - 1, 2 do fields[#fields + 1] = args[at] end
  return fetch(workflow, fields)
end

-- Returns the commits' sections, the workflows as stored, the records of all tasks named, and where
-- the claim begins.
local function read_commits(keys, args)
  local plans, stored, named, at = {}, {}, {}, 4
  for number = 1, (#keys - FIXED_KEYS) / 2 do
    local plan = {sections(args, at)}
    local _, fences_at, closed_at, new_at, used_at, outputs_at, records_at = unpack(plan, 1, 7)
    for place = fences_at, closed_at - 1, 2 do named[#named + 1] = args[place] end
    for place = closed_at, new_at - 1 do named[#named + 1] = args[place] end
    for place = new_at, used_at - 1, 5 do named[#named + 1] = args[place] end
    local workflow = keys[FIXED_KEYS - 1 + 2 * number]
    stored[number] = read_workflow(workflow, args, outputs_at, records_at)
    plans[number], at = plan, plan[END]
  end
  if at + args[3] ~= #args + 1 then error('the arguments do not have the announced shapes') end
  local records = {}
  for number, packed in ipairs(fetch(keys[2], named)) do records[named[number]] = packed end
  return plans, stored, records, at
end

-- Whether a workflow that is not there has left a tombstone.
local function buried(workflow, now)
  local tombstone = redis.call('HGET', workflow, 'x')
  if not tombstone then return false end
  return tonumber(string.match(tombstone, '^%d+')) > now
end

local function judge(workflow, args, plan, stored, records, now)
  local at, fences_at, closed_at = unpack(plan, 1, 3)
  if (stored[1] or '') ~= args[at + 1] then return CONFLICT end
  if not stored[1] and buried(workflow, now) then return CONFLICT end
  for place = fences_at, closed_at - 1, 2 do
    local packed = records[args[place]]
    if not packed or token_of(packed) ~= tonumber(args[place + 1]) then return FENCED end
  end
  return COMMITTED
end

local function close_tasks(args, from, to, batch, open)
  for at = from, to - 1 do
    local task = args[at]
    local packed = batch.found[task]
    if packed then
      stage_withdrawn(batch, packed, task)
      batch.closed[#batch.closed + 1] = task
      batch.found[task] = nil
      open = without(open, task)
    end
  end
  return open
end

local function write_task(batch, new, state, held)
  add(batch.records, new.task, struct.pack(RECORD, state, held, new.priority, 0, 0, new.place,
    batch.now, 0, 0, new.timeout, new.lane, '') .. new.body)
end

local function open_tasks(args, from, to, batch, open, held)
  for at = from, to - 1, 5 do
    local task, lane = args[at], args[at + 1]
    if not batch.found[task] then
      batch.place = batch.place + 1
      local new = {
        task = task, lane = lane, priority = args[at + 2], timeout = args[at + 3],
        body = args[at + 4], place = batch.place,
      }
      if held == 1 then
        write_task(batch, new, SUSPENDED, 1)
      else
        local fresh = batch.fresh[lane] or {}
        batch.fresh[lane], fresh[#fresh + 1] = fresh, new
      end
      open = open .. task .. '\n'
    end
  end
  return open
end

local function by_urgency(a, b)
  if a.priority ~= b.priority then return a.priority < b.priority end
  return a.place < b.place
end

-- Returns the new tasks in a want's lanes if they are all that is there, and not too many for it.
local function fresh_for(want, batch, queue)
  local all = {}
  for _, lane in ipairs(want.lanes) do
    for _, new in ipairs(batch.fresh[lane] or {}) do all[#all + 1] = new end
  end
  if #all == 0 or #all > want.slots then return nil end
  for _, lane in ipairs(want.lanes) do
    local first, last = lane_range(lane)
    if batch.resumed[lane] then return nil end
    if #redis.call('ZRANGEBYLEX', queue, first, last, 'LIMIT', 0, 1) > 0 then return nil end
  end
  table.sort(all, by_urgency)
  return all
end

-- Leases new tasks to the claim that came with them where no other task has a better right: they
-- need not pass through their lane. Returns the token drawn last.
local function lease_fresh(batch, claim, queue, token)
  for _, want in ipairs(claim) do
    local all = fresh_for(want, batch, queue)
    if all then
      want.answer = {}
      for _, new in ipairs(all) do
        token = token + 1
        lease_task(claim, want, new.task, token, 0, tonumber(new.priority), 0, new.place, batch.now,
          tonumber(new.timeout), new.lane, new.body)
      end
      for _, lane in ipairs(want.lanes) do batch.fresh[lane] = nil end
    end
  end
  for place = 1, #claim.records do batch.records[#batch.records + 1] = claim.records[place] end
  for place = 1, #claim.leased do batch.leased[#batch.leased + 1] = claim.leased[place] end
  return token
end

local function queue_fresh(batch)
  for lane, fresh in pairs(batch.fresh) do
    for _, new in ipairs(fresh) do
      write_task(batch, new, QUEUED, 0)
      local member = queue_member(lane, new.priority, new.place, new.task)
      stage_queued(batch, member, lane, new.priority, new.task)
    end
  end
end

local function hold_task(batch, packed, task, held)
  local state, member, lane, priority = state_of(packed), member_of(packed, task)
  if held == 1 and state == QUEUED then
    stage_withdrawn(batch, packed, task)
    state = SUSPENDED
  elseif held == 0 and state == SUSPENDED then
    stage_queued(batch, member, lane, tostring(priority), task)
    batch.resumed[lane] = true
    state = QUEUED
  end
  add(batch.records, task, in_state(packed, state, held))
end

-- Takes a workflow's queued tasks out of their lanes (held is 1) or puts them back (0).
local function hold_tasks(tasks, batch, open, held)
  local named = items(open)
  for number, packed in ipairs(fetch(tasks, named)) do
    if packed then hold_task(batch, packed, named[number], held) end
  end
end

local function move_timers(args, timers_at, cleared_at, members_at, workflow, id, batch)
  local set = redis.call('HGET', workflow, 'm') or '\n'
  for at = cleared_at, members_at - 1 do
    batch.cleared[#batch.cleared + 1] = id .. '|' .. args[at]
    set = without(set, args[at])
  end
  for at = timers_at, cleared_at - 1, 2 do
    add(batch.timers, args[at + 1], id .. '|' .. args[at])
    set = without(set, args[at]) .. args[at] .. '\n'
  end
  return set
end

local function move_index(args, from, to, workflow, batch)
  local old = redis.call('HGET', workflow, 'i') or '\n'
  for _, member in ipairs(items(old)) do batch.unindexed[#batch.unindexed + 1] = member end
  local members = '\n'
  for at = from, to - 1 do
    add(batch.indexed, '0', args[at])
    members = members .. args[at] .. '\n'
  end
  return members
end

local function write_log(args, from, to, log, id, batch)
  local records = {}
  for at = from, to - 1 do
    records[#records + 1] = args[at]
    add(batch.fed, 'step:' .. id, args[at])
  end
  each('RPUSH', log, records)
end

-- Writes what belongs to one workflow alone, and stages the rest.
local function write_commit(keys, args, number, plan, stored, batch)
  local at, _, closed_at, new_at, used_at, outputs_at, records_at, timers_at, cleared_at,
    members_at, letters_at, end_at, suspend = unpack(plan)
  local workflow, log = keys[FIXED_KEYS - 1 + 2 * number], keys[FIXED_KEYS + 2 * number]
  local id = string.sub(workflow, batch.id_at)
  local before, held = stored[2] or '\n', stored[3] and 1 or 0
  local fields = {'s', args[at + 2], 'd', args[at + 3]}
  if suspend >= ENDS then
    suspend = suspend - ENDS
    batch.ended[#batch.ended + 1] = id
  end
  if not stored[1] then redis.call('DEL', workflow) end -- a tombstone at the end of its time
  local open = close_tasks(args, closed_at, new_at, batch, before)
  if suspend > 0 then
    held = suspend - 1
    hold_tasks(keys[2], batch, open, held)
    if held == 1 then add(fields, 'p', '1') else redis.call('HDEL', workflow, 'p') end
  end
  open = open_tasks(args, new_at, used_at, batch, open, held)
  if open ~= before then add(fields, 't', open) end
  if timers_at < members_at then
    add(fields, 'm', move_timers(args, timers_at, cleared_at, members_at, workflow, id, batch))
  end
  if members_at < letters_at then
    add(fields, 'i', move_index(args, members_at, letters_at, workflow, batch))
  end
  for place = outputs_at, records_at - 1, 2 do -- written once
    if not stored[4 + (place - outputs_at) / 2] then add(fields, args[place], args[place + 1]) end
  end
  each('HSET', workflow, fields)
  write_log(args, records_at, timers_at, log, id, batch)
  for place = letters_at, end_at - 1, 2 do
    keep_letter(keys[9], keys[10], args[place], args[place + 1])
  end
end

local function new_batch(keys, now, found, place)
  local batch = staged()
  batch.now, batch.found, batch.place = now, found, tonumber(place) or 0
  batch.timers, batch.cleared, batch.indexed, batch.unindexed, batch.fed = {}, {}, {}, {}, {}
  batch.fresh = {} -- new tasks that are not yet queued, by lane
  batch.resumed = {} -- lanes that get tasks back
  batch.ended = {} -- workflows
  batch.id_at = #keys[1] - 5 + 3 -- workflow keys have `w:` where marks has `marks`
  return batch
end

-- Says for each commit whether it is applied, and returns the numbers of those that are and the
-- inbox positions that they use up.
local function judge_all(keys, args, plans, stored, records, now)
  local verdicts, accepted, used = {}, {}, {}
  for number, plan in ipairs(plans) do
    local workflow = keys[FIXED_KEYS - 1 + 2 * number]
    verdicts[number] = judge(workflow, args, plan, stored[number], records, now)
    if verdicts[number] == COMMITTED then
      accepted[#accepted + 1] = number
      for at = plan[5], plan[6] - 1 do used[#used + 1] = args[at] end
    end
  end
  return verdicts, accepted, used
end

local function write_all(keys, args, plans, stored, records, accepted, now, claim)
  local marks, tasks, queue, leases, timers, index, feed = unpack(keys, 1, 7)
  settle(marks)
  local state = redis.call('HMGET', marks, 'commits', 'place', 'trimmed_at', 'token')
  local batch = new_batch(keys, now, records, state[2])
  for _, number in ipairs(accepted) do
    write_commit(keys, args, number, plans[number], stored[number], batch)
  end
  local fed = append_feed(feed, args[1], batch.fed)
  each('ZREM', timers, batch.cleared)
  each('ZADD', timers, batch.timers)
  each('ZREM', index, batch.unindexed)
  each('ZADD', index, batch.indexed)
  local commits, token = (tonumber(state[1]) or 0) + #accepted, tonumber(state[4]) or 0
  local state_now = {'commits', commits, 'place', batch.place}
  if claim then add(state_now, 'token', lease_fresh(batch, claim, queue, token)) end
  queue_fresh(batch)
  write_tasks(batch, marks, tasks, queue, leases)
  if fed then add(state_now, 'fed', fed) end
  each('HSET', marks, state_now)
  trim_feed(marks, feed, now, tonumber(args[2]), state[3])
  return batch
end

local function commit(keys, args)
  local now = tonumber(args[1])
  local plans, stored, records, claim_at = read_commits(keys, args)
  local verdicts, accepted, used = judge_all(keys, args, plans, stored, records, now)
  local claim, batch = args[claim_at] and read_claim(args, claim_at), nil
  if #accepted > 0 then
    each('XDEL', keys[8], used) -- refuses malformed positions, so it is the first write
    batch = write_all(keys, args, plans, stored, records, accepted, now, claim)
  end
  local claimed, counts = {}, {}
  if claim then claimed, counts = claim_tasks(keys, claim) end
  if batch then
    for at = 1, #claimed, 9 do batch.waking[claimed[at]] = nil end
    wake(batch, keys[1])
    for _, id in ipairs(batch.ended) do say(keys[1], 'ended', id) end
  end
  return {verdicts, claimed, counts}
end
