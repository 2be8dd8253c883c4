-- Dead letters: packed in the hash `letters` by id, and in `letter_order`, a sorted set in the
-- lexical order of its members: `all` or `of WORKFLOW`, then instant, then id, tab separated.

local function letter_places(letter, at, workflow)
  local place = string.format('\t%013d\t%s', at, letter)
  if workflow == '' then return 'all' .. place end
  return 'all' .. place, 'of ' .. workflow .. place
end

local function pack_letter(at, workflow, reason, body)
  return struct.pack('>I8HH', at, #workflow, #reason) .. workflow .. reason .. body
end

local function unpack_letter(packed)
  local at, workflow, reason, first = struct.unpack('>I8HH', packed)
  local from = first + workflow
  return at, string.sub(packed, first, from - 1), string.sub(packed, from, from + reason - 1)
end

-- The first letter of an id stays.
local function keep_letter(letters, letter_order, letter, packed)
  if redis.call('HSETNX', letters, letter, packed) == 0 then return end
  local at, workflow = unpack_letter(packed)
  for _, place in ipairs({letter_places(letter, at, workflow)}) do
    redis.call('ZADD', letter_order, 0, place)
  end
end

-- Deletes a letter and returns it, false when it is gone.
local function drop_letter(letters, letter_order, letter)
  local packed = redis.call('HGET', letters, letter)
  if not packed then return false end
  local at, workflow = unpack_letter(packed)
  redis.call('HDEL', letters, letter)
  redis.call('ZREM', letter_order, letter_places(letter, at, workflow))
  return packed
end
