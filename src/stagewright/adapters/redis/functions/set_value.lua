-- Sets a small value.
-- Flags: allow-oom
--
-- KEYS: values names
-- ARGV: key, value, now (ms), time to live (ms, '' for ever)

local function set_value(keys, args)
  keep_value(keys[1], keys[2], args[1], args[2], tonumber(args[3]), args[4])
  return 1
end
