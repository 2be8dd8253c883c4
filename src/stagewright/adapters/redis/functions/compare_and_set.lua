-- Sets a small value when the present one is the expected one.
-- Flags: allow-oom
--
-- KEYS: values names
-- ARGV: key, value, now (ms), time to live (ms, '' for ever), then the expected value or nothing
-- Answer: 1 if it was set, else 0

local function compare_and_set(keys, args)
  local now = tonumber(args[3])
  if living(keys[1], args[1], now) ~= (args[5] or false) then return 0 end
  keep_value(keys[1], keys[2], args[1], args[2], now, args[4])
  return 1
end
