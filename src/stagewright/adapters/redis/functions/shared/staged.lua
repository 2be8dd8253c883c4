-- Writes to the tasks of a partition, gathered over a batch and made with one command each.

local function staged()
  return {
    closed = {}, records = {}, queued = {}, unqueued = {}, leased = {}, unleased = {}, waking = {},
  }
end

-- Puts a member into its lane.
local function stage_queued(batch, member, lane, priority, task)
  add(batch.queued, '0', member)
  batch.waking[task] = {lane = lane, priority = priority}
end

-- Takes a task out of its lane, or its lease out of the watch.
local function stage_withdrawn(batch, packed, task)
  local state = state_of(packed)
  if state == QUEUED then
    batch.unqueued[#batch.unqueued + 1] = member_of(packed, task)
  elseif state == LEASED then
    batch.unleased[#batch.unleased + 1] = task
  end
end

local function workflow_of(task)
  return string.sub(task, 1, string.find(task, '/', 1, true) - 1)
end

-- Removals go first: what is moved is removed and added.
local function write_tasks(batch, marks, tasks, queue, leases)
  each('HDEL', tasks, batch.closed)
  each('ZREM', queue, batch.unqueued)
  each('ZREM', leases, batch.unleased)
  each('HSET', tasks, batch.records)
  each('ZADD', leases, batch.leased)
  each('ZADD', queue, batch.queued)
end

-- Tells of what was put into lanes and is there still: once per lane, for its highest priority.
local function wake(batch, marks)
  local told = {}
  for task, queued in pairs(batch.waking) do
    local first = told[queued.lane]
    if not first or queued.priority < first.priority then
      told[queued.lane] = {priority = queued.priority, task = task}
    end
  end
  for lane, first in pairs(told) do
    tell(marks, first.priority .. ' ' .. workflow_of(first.task) .. ' ' .. lane)
  end
end
