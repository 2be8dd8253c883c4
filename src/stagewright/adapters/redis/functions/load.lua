-- Reads a workflow, without its outputs when there are many.
-- Flags: no-writes
--
-- KEYS: workflow
-- ARGV: most fields that are read as a whole
-- Answer: (field, value).. of all fields, or of those that are no outputs

local function load(keys, args)
  if redis.call('HLEN', keys[1]) <= tonumber(args[1]) then return redis.call('HGETALL', keys[1]) end
  local step, snapshot = unpack(redis.call('HMGET', keys[1], 's', 'd'))
  return {'s', step, 'd', snapshot, 'many', ''}
end
