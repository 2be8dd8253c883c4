-- Writes to the tasks of a partition, gathered over a batch and made with one command each.

local function staged()
  return {
    closed = {}, records = {}, queued = {}, unqueued = {}, leased = {}, unleased = {}, woken = {},
  }
end

-- Puts a member into its lane, and notes whom to wake: once per lane, for its highest priority.
local function stage_queued(batch, member, lane, priority, task)
  add(batch.queued, '0', member)
  local told = batch.woken[lane]
  if not told or priority < told.priority then
    batch.woken[lane] = {priority = priority, task = task}
  end
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
  for lane, told in pairs(batch.woken) do
    tell(marks, told.priority .. ' ' .. workflow_of(told.task) .. ' ' .. lane)
  end
end
