-- Reads the records of workflows' tasks.
-- Flags: no-writes
--
-- KEYS: tasks queue leases, then workflow..
-- Answer: per workflow (task, record without body, expiry or '', place in its lane or -1)..

local function inspect(keys)
  local tasks, queue, leases = unpack(keys, 1, 3)
  local answer = {}
  for number = 4, #keys do
    local named, rows = items(redis.call('HGET', keys[number], 't') or '\n'), {}
    for place, packed in ipairs(fetch(tasks, named)) do
      if packed then
        local member, lane, priority = member_of(packed, named[place])
        local position = -1
        if state_of(packed) == QUEUED then
          position = redis.call('ZLEXCOUNT', queue, (lane_range(lane, priority)), '(' .. member)
        end
        add(rows, named[place], head_of(packed))
        add(rows, redis.call('ZSCORE', leases, named[place]) or '', position)
      end
    end
    answer[#answer + 1] = rows
  end
  return answer
end
