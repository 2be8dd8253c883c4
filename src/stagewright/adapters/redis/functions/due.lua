-- Reads what has fallen due in one partition, and how far the partition has come.
-- Flags: no-writes
--
-- KEYS: marks tasks timers leases
-- ARGV: now (ms), limit of each sort
-- Answer: incarnation ('' when there is none or when it is to be settled), history, commits there
--   when it began on this server, commits, the earliest instant at which something
--   falls due or did ('' for nothing), (timer, due).., (task, record without body, expiry)..

local function earliest(timers, leases)
  local timer = redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2]
  local lease = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if not (timer and lease) then return timer or lease or '' end
  return tonumber(timer) < tonumber(lease) and timer or lease
end

local function due(keys, args)
  local marks, tasks, timers, leases = unpack(keys)
  local now, limit = args[1], args[2]
  local mark = redis.call('HMGET', marks, 'incarnation', 'history', 'begun', 'commits')
  local own = histories()
  local settled = own == nil or own == mark[2]
  local fired =
    redis.call('ZRANGEBYSCORE', timers, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  local scored =
    redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  local named, expired = {}, {}
  for at = 1, #scored, 2 do named[#named + 1] = scored[at] end
  for number, packed in ipairs(fetch(tasks, named)) do
    if packed then
      add(expired, named[number], head_of(packed))
      expired[#expired + 1] = scored[2 * number]
    end
  end
  return {settled and mark[1] or '', mark[2] or '', tonumber(mark[3] or 0), tonumber(mark[4] or 0),
    earliest(timers, leases), fired, expired}
end
