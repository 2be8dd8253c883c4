-- Leasing tasks out of their lanes.

-- Moves at most `limit` tasks of one lane and priority into the list `found`.
local function waiting(queue, lane, priority, limit, found)
  local first, last = lane_range(lane, priority)
  local members = redis.call('ZRANGEBYLEX', queue, first, last, 'LIMIT', 0, limit)
  local at = task_at(lane)
  for number = 1, #members do
    local member = members[number]
    found[#found + 1] = {member, string.sub(member, at), string.sub(member, at - 16, at - 2)}
  end
end

local function by_place(a, b)
  return a[3] < b[3]
end

-- Takes at most `slots` tasks out of lanes, the most urgent first (last if `lowest`), adding to
-- the lists of members and of tasks; answers how many.
local function take(queue, lanes, slots, lowest, members, named)
  local before = #named
  for turn = 0, 3 do
    local free, found = slots - #named + before, {}
    if free <= 0 then break end
    for number = 1, #lanes do
      waiting(queue, lanes[number], lowest and 3 - turn or turn, free, found)
    end
    if #lanes > 1 then table.sort(found, by_place) end
    for number = 1, math.min(#found, free) do
      members[#members + 1], named[#named + 1] = found[number][1], found[number][2]
    end
  end
  return #named - before
end

-- Leases tasks to a holder; answers nine values per task: id, token, lane, priority, body, queued
-- at, expiry, deadline, lost.
local function lease_tasks(marks, tasks, leases, named, now, lease, holder)
  local records, leased, answer = {}, {}, {}
  local token = redis.call('HINCRBY', marks, 'token', #named) - #named
  for number, packed in ipairs(fetch(tasks, named)) do
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

-- Claims as args say from `at`: now, lease (ms), holder, 1 for the lowest priority first, then per
-- want slots, number of lanes, lane.. Answers the leased tasks, and the number taken per want.
local function claim_tasks(keys, args, at)
  local marks, tasks, queue, leases = unpack(keys)
  local members, named, counts = {}, {}, {}
  local want = at + 4
  while want <= #args do
    local lanes = {unpack(args, want + 2, want + 1 + args[want + 1])}
    counts[#counts + 1] =
      take(queue, lanes, tonumber(args[want]), args[at + 3] == '1', members, named)
    each('ZREM', queue, {unpack(members, #members - counts[#counts] + 1)})
    want = want + 2 + args[want + 1]
  end
  if #named == 0 then return {}, counts end
  local now, lease = tonumber(args[at]), tonumber(args[at + 1])
  return lease_tasks(marks, tasks, leases, named, now, lease, args[at + 2]), counts
end
