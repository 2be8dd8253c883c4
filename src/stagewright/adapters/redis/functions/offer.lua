-- Counts what waits in lanes of one partition.
-- Flags: no-writes
--
-- KEYS: queue
-- ARGV: lane..
-- Answer: nothing when no task is queued; else per lane the numbers queued at priorities 0 to 3

local function offer(keys, args)
  local queue, answer = keys[1], {}
  if redis.call('ZCARD', queue) == 0 then return answer end
  for _, lane in ipairs(args) do
    for priority = 0, 3 do
      local first, last = lane_range(lane, priority)
      answer[#answer + 1] = redis.call('ZLEXCOUNT', queue, first, last)
    end
  end
  return answer
end
