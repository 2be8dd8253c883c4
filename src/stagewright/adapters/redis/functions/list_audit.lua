-- Lists entries of the record of changes, newest first.
-- Flags: no-writes
--
-- KEYS: entries places
-- ARGV: group, id of the oldest, id before which to begin, limit
-- Answer: bodies

local function list_audit(keys, args)
  local entries, places = unpack(keys)
  local group, oldest, before, limit = unpack(args)
  local found = redis.call(
    'ZREVRANGEBYLEX', places, '(' .. group .. '\t' .. before, '[' .. group .. '\t' .. oldest,
    'LIMIT', 0, limit
  )
  local named = {}
  for number, place in ipairs(found) do named[number] = string.match(place, '([^\t]*)$') end
  return fetch(entries, named)
end
