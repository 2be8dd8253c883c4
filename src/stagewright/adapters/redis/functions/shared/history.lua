-- Which history a partition is on. Replication ids name histories: a replica that was promoted draws
-- a new one, and keeps the id of the history that it has a copy of as its second.

local TOKENS = 1048576 -- more than anyone has drawn of the tokens that nobody here has seen

local trusted = {} -- by marks key: the history that was last found to be this server's own

-- Returns this server's own history and the one that it was promoted from; nothing when INFO is
-- forbidden.
local function histories()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then return end
  return string.match(info, 'master_replid:(%w+)'), string.match(info, 'master_replid2:(%w+)')
end

-- Begins another incarnation: what came after the commits that are counted here is lost, and so are
-- the tokens drawn there, which must not be drawn again.
local function begin_incarnation(marks, incarnation)
  redis.call('HINCRBY', marks, 'token', TOKENS)
  redis.call('HSET', marks, 'incarnation', incarnation)
end

-- Notes which server's history a partition goes on in, before the first write to it there. A copy
-- that was promoted begins another incarnation; a restart, or a slot that was moved, does not.
local function settle(marks)
  local history = redis.call('HGET', marks, 'history')
  if history and trusted[marks] == history then return end
  local own, former = histories()
  if own and history ~= own then
    if history == former then begin_incarnation(marks, string.sub(own, 1, 16)) end
    local commits = redis.call('HGET', marks, 'commits') or 0
    redis.call('HSET', marks, 'history', own, 'begun', commits)
  end
  trusted[marks] = own
end
