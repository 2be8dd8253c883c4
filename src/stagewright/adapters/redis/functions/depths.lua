-- Counts what waits in every lane of one partition, stepping from lane to lane.
-- Flags: no-writes
--
-- KEYS: tasks queue
-- Answer: per lane with queued tasks: lane, priority, number queued, instant the oldest was queued

local function depths(keys)
  local tasks, queue = unpack(keys)
  local answer, from = {}, '-'
  while true do
    local member = redis.call('ZRANGEBYLEX', queue, from, '+', 'LIMIT', 0, 1)[1]
    if not member then return answer end
    local lane, priority, task = string.match(member, '^(.-)|(%d)|%d+|(.*)$')
    local first, last = lane_range(lane, priority)
    local packed, queued_at = redis.call('HGET', tasks, task), 0
    if packed then queued_at = queued_at_of(packed) end
    add(answer, lane, tonumber(priority))
    add(answer, redis.call('ZLEXCOUNT', queue, first, last), queued_at)
    from = last
  end
end
