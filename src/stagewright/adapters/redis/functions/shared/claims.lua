-- Leasing tasks out of their lanes. All is read before anything is written.

-- Reads a claim from `at`: now, lease (ms), holder, 1 for the lowest priority first, then per want
-- slots, number of lanes, lane..
local function read_claim(args, at)
  local claim = {
    now = tonumber(args[at]), lease = tonumber(args[at + 1]), holder = args[at + 2],
    lowest = args[at + 3] == '1', records = {}, leased = {},
  }
  local first = at + 4
  while first <= #args do
    local last = first + 1 + args[first + 1]
    claim[#claim + 1] = {slots = tonumber(args[first]), lanes = {unpack(args, first + 2, last)}}
    first = last + 1
  end
  return claim
end

-- Writes a task's record as leased, and its nine values into the answer: id, token, lane, priority,
-- body, queued at, expiry, deadline, lost.
local function lease_task(claim, want, task, token, held, priority, lost, place, queued_at, timeout,
    lane, body)
  local deadline = claim.now + timeout
  local expiry = math.min(claim.now + claim.lease, deadline)
  add(claim.records, task, struct.pack(RECORD, LEASED, held, priority, lost, token, place,
    queued_at, claim.now, deadline, timeout, lane, claim.holder) .. body)
  add(claim.leased, string.format('%d', expiry), task)
  local answer = want.answer
  local last = #answer
  answer[last + 1], answer[last + 2], answer[last + 3] = task, token, lane
  answer[last + 4], answer[last + 5], answer[last + 6] = priority, body, queued_at
  answer[last + 7], answer[last + 8], answer[last + 9] = expiry, deadline, lost
end

-- Adds the first tasks of one lane to the list `found`: of one priority, or (nil) of all.
local function waiting(queue, lane, priority, limit, found)
  local first, last = lane_range(lane, priority)
  local members = redis.call('ZRANGEBYLEX', queue, first, last, 'LIMIT', 0, limit)
  local at = task_at(lane)
  for number = 1, #members do
    local member = members[number]
    local rank = string.sub(member, #lane + 2, at - 2) -- priority|place
    found[#found + 1] = {member = member, task = string.sub(member, at), rank = rank}
  end
end

local function by_rank(a, b)
  return a.rank < b.rank
end

-- Chooses at most `free` tasks of one priority, or (nil) of all, the most urgent first and within
-- one priority the oldest, passing over those that an earlier want of the claim has `taken`.
local function take_some(queue, lanes, priority, free, taken, chosen)
  local found = {}
  for number = 1, #lanes do
    waiting(queue, lanes[number], priority, free + (taken[lanes[number]] or 0), found)
  end
  if #lanes > 1 then table.sort(found, by_rank) end
  for number = 1, #found do
    if free > 0 and not taken[found[number].task] then
      chosen[#chosen + 1], taken[found[number].task] = found[number], true
      free = free - 1
    end
  end
  return free
end

local function take(queue, lanes, slots, lowest, taken)
  local chosen, free = {}, slots
  if not lowest then
    take_some(queue, lanes, nil, free, taken, chosen)
  else
    for priority = 3, 0, -1 do
      if free > 0 then free = take_some(queue, lanes, priority, free, taken, chosen) end
    end
  end
  for number = 1, #lanes do taken[lanes[number]] = (taken[lanes[number]] or 0) + #chosen end
  return chosen
end

-- Finds tasks for the wants that have no answer yet; answers the members of the queue to take out,
-- and how many tasks were found. A member without a record (nothing of ours leaves one) is taken
-- out and not counted.
local function choose(keys, claim)
  local _, tasks, queue = unpack(keys)
  local members, taken, count = {}, {}, 0
  for _, want in ipairs(claim) do
    want.named, want.packed = {}, {}
    if not want.answer then
      local chosen, ids = take(queue, want.lanes, want.slots, claim.lowest, taken), {}
      for number = 1, #chosen do ids[number] = chosen[number].task end
      for number, packed in ipairs(fetch(tasks, ids)) do
        members[#members + 1] = chosen[number].member
        if packed then
          want.named[#want.named + 1], want.packed[#want.packed + 1] = ids[number], packed
          count = count + 1
        end
      end
    end
  end
  return members, count
end

-- Answers the leased tasks, want by want, and the number per want.
local function claim_answer(claim)
  local answer, counts = {}, {}
  for number, want in ipairs(claim) do
    local values = want.answer or {}
    for place = 1, #values do answer[#answer + 1] = values[place] end
    counts[number] = #values / 9
  end
  return answer, counts
end

-- Claims for the wants that have no answer yet.
local function claim_tasks(keys, claim)
  local marks, tasks, queue, leases = unpack(keys)
  local members, count = choose(keys, claim)
  each('ZREM', queue, members)
  if count > 0 then
    claim.records, claim.leased = {}, {}
    settle(marks)
    local token = redis.call('HINCRBY', marks, 'token', count) - count
    for _, want in ipairs(claim) do
      want.answer = want.answer or {}
      for number, packed in ipairs(want.packed) do
        local _, held, priority, lost, _, place, queued_at, _, _, timeout, lane, _, body_at =
          struct.unpack(RECORD, packed)
        token = token + 1
        lease_task(claim, want, want.named[number], token, held, priority, lost, place, queued_at,
          timeout, lane, string.sub(packed, body_at))
      end
    end
    each('HSET', tasks, claim.records)
    each('ZADD', leases, claim.leased)
  end
  return claim_answer(claim)
end
