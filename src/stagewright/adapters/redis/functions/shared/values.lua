-- Small values: in the hash `values` behind their expiry (ms, 0 for never), their keys also in
-- `names`, a sorted set in lexical order.

local function living(values, key, now)
  local packed = redis.call('HGET', values, key)
  if not packed then return false end
  local expiry, at = struct.unpack('>I8', packed)
  if expiry > 0 and expiry <= now then return false end
  return string.sub(packed, at)
end

local function keep_value(values, names, key, value, now, ttl)
  local expiry = ttl == '' and 0 or now + tonumber(ttl)
  redis.call('HSET', values, key, struct.pack('>I8', expiry) .. value)
  redis.call('ZADD', names, 0, key)
end

local function drop_value(values, names, key)
  redis.call('ZREM', names, key)
  return redis.call('HDEL', values, key)
end
