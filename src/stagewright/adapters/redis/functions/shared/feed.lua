-- The feed of a partition. What one call adds is one entry of (`step:WORKFLOW` or `note:WORKFLOW`,
-- body) pairs, whose id begins with the caller's time, so that it can be trimmed by age.

local TRIM_EVERY_MS = 10000

-- Answers the id of the newest entry, or nothing when there was nothing to add.
local function append_feed(feed, now, entries)
  local count, newest = #entries, nil
  for first = 1, count, CHUNK do
    local last = math.min(first + CHUNK - 1, count)
    newest = redis.pcall('XADD', feed, now .. '-*', unpack(entries, first, last))
    if newest.err then -- a clock that is ahead was here before: the feed's own next id serves
      newest = redis.call('XADD', feed, '*', unpack(entries, first, last))
    end
  end
  return newest
end

-- Drops what has been kept long enough, not more often than it is worth; `gone` is the newest
-- entry that was dropped: a reader behind it has missed something.
local function trim_feed(marks, feed, now, retention, trimmed_at)
  if now - (tonumber(trimmed_at) or 0) < math.min(TRIM_EVERY_MS, retention) then return end
  redis.call('HSET', marks, 'trimmed_at', now)
  local old = redis.call('XREVRANGE', feed, '(' .. (now - retention) .. '-0', '-', 'COUNT', 1)
  if #old == 0 then return end
  redis.call('HSET', marks, 'gone', old[1][1])
  redis.call('XTRIM', feed, 'MINID', now - retention)
end
