-- Variadic commands over lists of any length: one call for the whole batch, some values at a time.

local CHUNK = 3000 -- even, and below the 8,000 values that Lua's C stack takes

-- Runs `command key values..`; nothing when the list is empty.
local function each(command, key, values)
  local count = #values
  if count == 0 then return end
  if count <= CHUNK then return redis.call(command, key, unpack(values)) end
  for first = 1, count, CHUNK do
    redis.call(command, key, unpack(values, first, math.min(first + CHUNK - 1, count)))
  end
end

-- Returns the values of a hash's fields in order, false where absent.
local function fetch(key, fields)
  local count = #fields
  if count == 0 then return {} end
  if count <= CHUNK then return redis.call('HMGET', key, unpack(fields)) end
  local found = {}
  for first = 1, count, CHUNK do
    local last = math.min(first + CHUNK - 1, count)
    local values = redis.call('HMGET', key, unpack(fields, first, last))
    for place = 1, #values do found[first + place - 1] = values[place] end
  end
  return found
end

-- Appends two values to a list.
local function add(list, first, second)
  local count = #list
  list[count + 1] = first
  list[count + 2] = second
end
