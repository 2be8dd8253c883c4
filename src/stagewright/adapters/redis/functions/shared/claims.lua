-- Leasing tasks out of their lanes. All is read before anything is written.

-- Adds the first tasks of one lane and priority to the list `found`.
local function waiting(queue, lane, priority, limit, found)
  local first, last = lane_range(lane, priority)
  local members = redis.call('ZRANGEBYLEX', queue, first, last, 'LIMIT', 0, limit)
  local at = task_at(lane)
  for number = 1, #members do
    local member = members[number]
    local place = string.sub(member, at - PLACE_WIDTH - 1, at - 2)
    found[#found + 1] = {member = member, task = string.sub(member, at), place = place}
  end
end

local function by_place(a, b)
  return a.place < b.place
end

-- Takes at most `slots` tasks of some lanes, the most urgent first (last if `lowest`), within one
-- priority the oldest, passing over those that an earlier want of the claim has `taken`.
local function take(queue, lanes, slots, lowest, taken)
  local chosen = {}
  for turn = 0, 3 do
    local found, free = {}, slots - #chosen
    if free <= 0 then break end
    for number = 1, #lanes do
      local already = taken[lanes[number]] or 0
      waiting(queue, lanes[number], lowest and 3 - turn or turn, free + already, found)
    end
    if #lanes > 1 then table.sort(found, by_place) end
    for number = 1, #found do
      if #chosen < slots and not taken[found[number].task] then
        chosen[#chosen + 1], taken[found[number].task] = found[number], true
      end
    end
  end
  for number = 1, #lanes do taken[lanes[number]] = (taken[lanes[number]] or 0) + #chosen end
  return chosen
end

-- Leases tasks to a holder; answers nine values per task: id, token, lane, priority, body, queued
-- at, expiry, deadline, lost.
local function lease_tasks(marks, tasks, leases, named, packed_records, now, lease, holder)
  local records, leased, answer = {}, {}, {}
  local token = redis.call('HINCRBY', marks, 'token', #named) - #named
  for number, packed in ipairs(packed_records) do
    local task = named[number]
    local _, held, priority, lost, _, place, queued_at, _, _, timeout, lane, _, body_at =
      struct.unpack(RECORD, packed)
    local body, deadline = string.sub(packed, body_at), now + timeout
    local expiry = math.min(now + lease, deadline)
    add(records, task, struct.pack(RECORD, LEASED, held, priority, lost, token + number, place,
      queued_at, now, deadline, timeout, lane, holder) .. body)
    add(leased, string.format('%d', expiry), task)
    local last = #answer
    answer[last + 1], answer[last + 2], answer[last + 3] = task, token + number, lane
    answer[last + 4], answer[last + 5], answer[last + 6] = priority, body, queued_at
    answer[last + 7], answer[last + 8], answer[last + 9] = expiry, deadline, lost
  end
  each('HSET', tasks, records)
  each('ZADD', leases, leased)
  return answer
end

-- Returns members of the queue to take out, and tasks, their records and the number per want. A
-- member without a record (nothing of ours leaves one) is taken out and not counted.
local function choose(keys, args, at)
  local _, tasks, queue = unpack(keys)
  local members, named, records, counts, taken, want = {}, {}, {}, {}, {}, at + 4
  while want <= #args do
    local lanes = {unpack(args, want + 2, want + 1 + args[want + 1])}
    local chosen, ids = take(queue, lanes, tonumber(args[want]), args[at + 3] == '1', taken), {}
    for number = 1, #chosen do ids[number] = chosen[number].task end
    local before = #named
    for number, packed in ipairs(fetch(tasks, ids)) do
      members[#members + 1] = chosen[number].member
      if packed then named[#named + 1], records[#records + 1] = ids[number], packed end
    end
    counts[#counts + 1] = #named - before
    want = want + 2 + args[want + 1]
  end
  return members, named, records, counts
end

-- Claims as args say from `at`: now, lease (ms), holder, 1 for the lowest priority first, then per
-- want slots, number of lanes, lane.. Answers the leased tasks, and the number taken per want.
local function claim_tasks(keys, args, at)
  local marks, tasks, queue, leases = unpack(keys)
  local members, named, records, counts = choose(keys, args, at)
  each('ZREM', queue, members)
  if #named == 0 then return {}, counts end
  local now, lease, holder = tonumber(args[at]), tonumber(args[at + 1]), args[at + 2]
  return lease_tasks(marks, tasks, leases, named, records, now, lease, holder), counts
end
