-- Registers a version of a definition or contract unless it is there.
--
-- KEYS: versions bodies
-- ARGV: name, version, hash, body, now (ms)
-- Answer: the entry in force, as JSON

local function put_version(keys, args)
  local versions, bodies = unpack(keys)
  local field = args[1] .. '\t' .. args[2]
  local held = redis.call('HGET', versions, field)
  local entry = held and cjson.decode(held)
  if entry and (entry.hash ~= args[3] or not entry.retired) then return held end
  if not entry then
    entry = {hash = args[3], at = tonumber(args[5]), order = redis.call('HLEN', versions) + 1}
  end
  entry.retired = false
  local packed = cjson.encode(entry)
  redis.call('HSETNX', bodies, args[3], args[4])
  redis.call('HSET', versions, field, packed)
  return packed
end
