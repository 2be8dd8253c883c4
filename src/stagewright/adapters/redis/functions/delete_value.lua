-- Deletes a small value.
-- Flags: allow-oom
--
-- KEYS: values names
-- ARGV: key, now (ms)
-- Answer: 1 if it was there and alive, else 0

local function delete_value(keys, args)
  local was = living(keys[1], args[1], tonumber(args[2]))
  drop_value(keys[1], keys[2], args[1])
  return was and 1 or 0
end
