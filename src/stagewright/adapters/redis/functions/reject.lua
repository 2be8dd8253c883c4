-- Deletes a message and keeps it as a dead letter.
--
-- KEYS: inbox letters letter_order
-- ARGV: position, letter, now (ms), reason, the bytes to keep ('' for all)
-- Answer: 1, or 0 when the message is gone

local function reject(keys, args)
  local inbox, letters, letter_order = unpack(keys)
  local position, letter, now, reason, kept = unpack(args)
  local entry = redis.call('XRANGE', inbox, position, position)[1]
  if not entry then return 0 end
  local workflow, message = read_entry(entry[2])
  if kept ~= '' then message = string.sub(message, 1, tonumber(kept)) end
  local packed = pack_letter(now, workflow, reason, message)
  redis.call('XDEL', inbox, position)
  keep_letter(letters, letter_order, letter, packed)
  return 1
end
