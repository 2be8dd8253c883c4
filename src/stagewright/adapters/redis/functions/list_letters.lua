-- Lists dead letters of one partition, newest first.
-- Flags: no-writes
--
-- KEYS: letters letter_order
-- ARGV: group (`all` or `of WORKFLOW`), the instant and letter to begin behind ('' for the newest),
--   limit
-- Answer: (letter, packed)..

local function list_letters(keys, args)
  local letters, letter_order = unpack(keys)
  local group, behind, limit = unpack(args)
  local last = behind == '' and '(' .. group .. '\n' or '(' .. group .. '\t' .. behind
  local places =
    redis.call('ZREVRANGEBYLEX', letter_order, last, '[' .. group .. '\t', 'LIMIT', 0, limit)
  local named, answer = {}, {}
  for number, place in ipairs(places) do named[number] = string.match(place, '([^\t]*)$') end
  for number, packed in ipairs(fetch(letters, named)) do add(answer, named[number], packed) end
  return answer
end
