-- Deletes a dead letter.
-- Flags: allow-oom
--
-- KEYS: letters letter_order
-- ARGV: letter
-- Answer: 1, or 0 when it is gone

local function discard(keys, args)
  return drop_letter(keys[1], keys[2], args[1]) and 1 or 0
end
