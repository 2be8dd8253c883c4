-- Takes a version out of service; its body stays.
--
-- KEYS: versions
-- ARGV: name, version
-- Answer: 1, or 0 when it is not there

local function retire_version(keys, args)
  local field = args[1] .. '\t' .. args[2]
  local held = redis.call('HGET', keys[1], field)
  if not held then return 0 end
  local entry = cjson.decode(held)
  entry.retired = true
  redis.call('HSET', keys[1], field, cjson.encode(entry))
  return 1
end
