-- Puts leased tasks of one partition back to the front of their lanes; those of a suspended
-- workflow stay out.
--
-- KEYS: marks tasks queue leases
-- ARGV: 1 to count a lost lease, 0 not to, then (task, token)..
-- Answer: 0 or 1 per lease, whether its token was current

local function put_back(batch, packed, task, lost)
  local _, held, priority, lost_before, token, place, queued_at, _, _, timeout, lane, _, body_at =
    struct.unpack(RECORD, packed)
  local state = held == 1 and SUSPENDED or QUEUED
  add(batch.records, task, struct.pack(RECORD, state, held, priority, lost_before + lost, token,
    place, queued_at, 0, 0, timeout, lane, '') .. string.sub(packed, body_at))
  batch.unleased[#batch.unleased + 1] = task
  if held == 0 then
    stage_queued(batch, queue_member(lane, priority, place, task), lane, tostring(priority), task)
  end
end

local function release(keys, args)
  local marks, tasks, queue, leases = unpack(keys)
  local named, seen, answer, batch = {}, {}, {}, staged()
  for at = 2, #args, 2 do named[#named + 1] = args[at] end
  for number, packed in ipairs(fetch(tasks, named)) do
    local task, current = named[number], false
    if packed and not seen[task] and token_of(packed) == tonumber(args[2 * number + 1]) then
      current = state_of(packed) == LEASED
    end
    if current then put_back(batch, packed, task, tonumber(args[1])) end
    seen[task] = seen[task] or current
    answer[number] = current and 1 or 0
  end
  write_tasks(batch, marks, tasks, queue, leases)
  wake(batch, marks)
  return answer
end
