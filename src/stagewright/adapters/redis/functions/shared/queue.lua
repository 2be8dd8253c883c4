-- All lanes of a partition are one sorted set, `queue`, in the lexical order of its members:
-- lane|priority|place|task. A task keeps its place for life, so what is put back stands in front.

local PLACE_WIDTH = 15

-- The range of one priority of a lane, or (nil) of the whole lane.
local function lane_range(lane, priority)
  local prefix = priority and lane .. '|' .. priority or lane
  return '[' .. prefix .. '|', '(' .. prefix .. '}' -- the character after |
end

local function queue_member(lane, priority, place, task)
  return lane .. '|' .. priority .. '|' .. string.format('%015d', place) .. '|' .. task
end

-- Where the task begins in a member of a lane.
local function task_at(lane)
  return #lane + PLACE_WIDTH + 5
end

local function member_of(packed, task)
  local _, _, priority, _, _, place, _, _, _, _, lane = struct.unpack(RECORD, packed)
  return queue_member(lane, priority, place, task), lane, priority
end

local function say(marks, channel, words)
  redis.call('PUBLISH', string.sub(marks, 1, -6) .. channel, words)
end

-- Hints are told on the partition's channel: priority (- for none), workflow, and lane.
local function tell(marks, hint)
  say(marks, 'wake', hint)
end
