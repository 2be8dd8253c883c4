-- Gives a partition that is seen for the first time its incarnation, and settles its history.
--
-- KEYS: marks
-- ARGV: a new incarnation
-- Answer: the incarnation in force

local function mark(keys, args)
  redis.call('HSETNX', keys[1], 'incarnation', args[1])
  settle(keys[1])
  return redis.call('HGET', keys[1], 'incarnation')
end
