-- Appends notes to workflows of one partition and to its feed. A workflow that is unknown or
-- forgotten takes no notes.
--
-- KEYS: marks feed, then per note: workflow, notes
-- ARGV: now (ms), feed retention (ms), notes kept per workflow, then note..
-- Answer: number of notes that were taken

local function note(keys, args)
  local marks, feed = keys[1], keys[2]
  local now, id_at, entries = tonumber(args[1]), #marks - 5 + 3, {}
  for number = 3, #keys, 2 do
    local workflow, notes, body = keys[number], keys[number + 1], args[(number - 3) / 2 + 4]
    if redis.call('HEXISTS', workflow, 's') == 1 then
      redis.call('RPUSH', notes, body)
      redis.call('LTRIM', notes, '-' .. args[3], -1)
      add(entries, 'note:' .. string.sub(workflow, id_at), body)
    end
  end
  local fed = append_feed(feed, args[1], entries)
  if fed then redis.call('HSET', marks, 'fed', fed) end
  trim_feed(marks, feed, now, tonumber(args[2]), redis.call('HGET', marks, 'trimmed_at'))
  return #entries / 2
end
