-- Replaces a workflow by its tombstone, with all that belongs to it.
-- Flags: allow-oom
--
-- KEYS: workflow log notes blobs tasks queue leases timers index
-- ARGV: id of its last step, tombstone (begins with its expiry), its time to live (ms)
-- Answer: 1, or 0 when the step is another one

local function forget(keys, args)
  local workflow, log, notes, blobs, tasks, queue, leases, timers, index = unpack(keys)
  local step, open, set, members = unpack(redis.call('HMGET', workflow, 's', 't', 'm', 'i'))
  if step ~= args[1] then return 0 end
  local batch, named, id = staged(), items(open or '\n'), string.match(workflow, ':w:(.*)$')
  for number, packed in ipairs(fetch(tasks, named)) do
    if packed then stage_withdrawn(batch, packed, named[number]) end
  end
  local timed = items(set or '\n')
  for number, timer in ipairs(timed) do timed[number] = id .. '|' .. timer end
  each('HDEL', tasks, named)
  each('ZREM', queue, batch.unqueued)
  each('ZREM', leases, batch.unleased)
  each('ZREM', timers, timed)
  each('ZREM', index, items(members or '\n'))
  redis.call('DEL', workflow, log, notes, blobs)
  if tonumber(args[3]) > 0 then
    redis.call('HSET', workflow, 'x', args[2])
    redis.call('PEXPIRE', workflow, args[3])
  end
  return 1
end
