-- Says where the feed of one partition begins and ends, and whether a reader has missed something.
-- Flags: no-writes
--
-- KEYS: marks feed
-- ARGV: instant before which entries have been kept long enough (ms), id of the entry that a reader
--   read last ('' for none), 1 if it has read that entry as a whole
-- Answer: incarnation ('' when there is none), the newest entry that is gone or due to go, the
--   newest entry, and 1 if the reader has missed something

-- Whether one entry id is greater than another.
local function after(id, other)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_sequence = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) > tonumber(other_ms) end
  return tonumber(sequence) > tonumber(other_sequence)
end

local function newest(feed, bound)
  local entry = redis.call('XREVRANGE', feed, bound, '-', 'COUNT', 1)[1]
  return entry and entry[1] or '0-0'
end

local function feed_state(keys, args)
  local marks, feed = unpack(keys)
  local horizon, read, whole = unpack(args)
  local mark = redis.call('HMGET', marks, 'incarnation', 'gone')
  local gone, last = mark[2] or '0-0', newest(feed, '+')
  local old = newest(feed, '(' .. horizon .. '-0')
  if after(old, gone) then gone = old end
  if after(gone, last) then last = gone end
  local missed = read ~= '' and (after(gone, read) or after(read, last))
  if read == gone and gone ~= '0-0' and whole ~= '1' then missed = true end
  return {mark[1] or '', gone, last, missed and 1 or 0}
end
