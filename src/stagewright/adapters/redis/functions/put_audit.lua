-- Writes entries of the record of changes, and removes some whose time is over.
-- Flags: allow-oom
--
-- KEYS: entries places
-- ARGV: id before which entries are over, then (id, body)..
-- Answer: number of entries removed

local function put_audit(keys, args)
  local entries, places = unpack(keys)
  for at = 2, #args, 2 do keep_audit(entries, places, args[at], args[at + 1]) end
  local over = redis.call('ZRANGEBYLEX', places, '[all\t', '(all\t' .. args[1], 'LIMIT', 0, #args)
  for _, place in ipairs(over) do drop_audit(entries, places, string.sub(place, 5)) end
  return #over
end
