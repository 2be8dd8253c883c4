-- Adds to an integer and renews its life time.
--
-- KEYS: values names
-- ARGV: key, addend, now (ms), time to live (ms, '' for ever)
-- Answer: the new value

local function increment(keys, args)
  local now = tonumber(args[3])
  local value = tonumber(living(keys[1], args[1], now) or 0) + tonumber(args[2])
  keep_value(keys[1], keys[2], args[1], string.format('%d', value), now, args[4])
  return value
end
