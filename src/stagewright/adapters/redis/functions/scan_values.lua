-- Lists the living small values under a prefix, and removes the dead ones it meets.
-- Flags: allow-oom
--
-- KEYS: values names
-- ARGV: prefix, the end of its range, now (ms), limit
-- Answer: (key, value)..

local function scan_values(keys, args)
  local values, names = unpack(keys)
  local found = redis.call('ZRANGEBYLEX', names, '[' .. args[1], args[2], 'LIMIT', 0, args[4])
  local answer = {}
  for _, key in ipairs(found) do
    local value = living(values, key, tonumber(args[3]))
    if value then add(answer, key, value) else drop_value(values, names, key) end
  end
  return answer
end
