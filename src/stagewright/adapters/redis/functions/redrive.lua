-- Puts a message into the inbox in the place of a dead letter, which goes.
--
-- KEYS: marks inbox letters letter_order
-- ARGV: letter, message
-- Answer: 1, or 0 when the letter is gone

local function redrive(keys, args)
  local _, inbox, letters, letter_order = unpack(keys)
  local packed = drop_letter(letters, letter_order, args[1])
  if not packed then return 0 end
  local _, workflow = unpack_letter(packed)
  if workflow == '' then workflow = args[1] end
  redis.call('XADD', inbox, '*', workflow, args[2])
  return 1
end
