-- Leases tasks of one partition, the most urgent first, within one priority the oldest.
--
-- KEYS: marks tasks queue leases
-- ARGV: now (ms), lease (ms), holder, 1 for the lowest priority first, then per want: slots, number
--   of lanes, lane..
-- Answer: nine values per task (see lease_task), then the number of tasks taken per want

local function claim(keys, args)
  local answer, counts = claim_tasks(keys, read_claim(args, 1))
  return {answer, counts}
end
