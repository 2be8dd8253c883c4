-- The record of a task in flight, a field of `tasks` named by its id: numbers of fixed width, lane
-- and holder ended by zero bytes, then the task's body until it is done. The expiry of its lease is
-- its score in `leases`.

-- state, held, priority, lost, token, place, queued at, claimed at, deadline, timeout, lane, holder
local RECORD = '>BBBHI8I8I8I8I8I8ss'
local QUEUED, LEASED, DONE, SUSPENDED = 1, 2, 3, 4
local TOKEN_AT, QUEUED_AT, TEXTS_AT = 6, 22, 54

local function state_of(packed)
  return string.byte(packed)
end

local function token_of(packed)
  return (struct.unpack('>I8', packed, TOKEN_AT))
end

local function queued_at_of(packed)
  return (struct.unpack('>I8', packed, QUEUED_AT))
end

-- Returns the record without the body.
local function head_of(packed)
  local lane_end = string.find(packed, '\0', TEXTS_AT, true)
  return string.sub(packed, 1, (string.find(packed, '\0', lane_end + 1, true)))
end

local function in_state(packed, state, held)
  return string.char(state, held or string.byte(packed, 2)) .. string.sub(packed, 3)
end
