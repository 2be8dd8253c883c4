-- The record of changes: entries as JSON in the hash `entries` by id, their places in `places`, a
-- sorted set in the lexical order of its members: `all`, `actor X`, `action X` or `target X`, then a
-- tab and the id.

local function each_audit_place(id, body, act)
  local entry = cjson.decode(body)
  act('all\t' .. id)
  for _, field in ipairs({'actor', 'action', 'target'}) do
    act(field .. ' ' .. entry[field] .. '\t' .. id)
  end
end

local function keep_audit(entries, places, id, body)
  local held = redis.call('HGET', entries, id)
  if held == body then return end
  if held then
    each_audit_place(id, held, function(place) redis.call('ZREM', places, place) end)
  end
  each_audit_place(id, body, function(place) redis.call('ZADD', places, 0, place) end)
  redis.call('HSET', entries, id, body)
end

local function drop_audit(entries, places, id)
  local held = redis.call('HGET', entries, id)
  each_audit_place(id, held, function(place) redis.call('ZREM', places, place) end)
  redis.call('HDEL', entries, id)
end
