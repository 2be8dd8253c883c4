-- Begins another incarnation of a partition that has fewer commits than somebody has seen, unless
-- another process was faster.
--
-- KEYS: marks
-- ARGV: what was seen: incarnation, history, commits; a new incarnation
-- Answer: the incarnation in force

local function renew(keys, args)
  local marks = keys[1]
  local state = redis.call('HMGET', marks, 'incarnation', 'history', 'commits', 'begun')
  local kept = state[2] == args[2] and state[3] or state[4]
  if state[1] == args[1] and tonumber(kept or 0) < tonumber(args[3]) then
    begin_incarnation(marks, args[4])
  end
  return redis.call('HGET', marks, 'incarnation')
end
