-- Publishes results of tasks of one partition whose tokens are current, ends their leases, and
-- claims. A result that lies in the inbox already is accepted again and not published twice.
--
-- KEYS: marks tasks queue leases inbox
-- ARGV: number of completions, (task, token, result).., then nothing or as for claim
-- Answer: 0 or 1 per completion, whether it was accepted; then as for claim

local function publish_results(keys, args, count)
  local _, tasks, _, leases, inbox = unpack(keys)
  local named, accepted, records, ended = {}, {}, {}, {}
  for number = 1, count do named[number] = args[3 * number - 1] end
  for number, packed in ipairs(fetch(tasks, named)) do
    local task, current = named[number], false
    if packed and token_of(packed) == tonumber(args[3 * number]) then
      local state = state_of(packed)
      current = state == LEASED or state == DONE
      if state == LEASED then
        add(records, task, in_state(head_of(packed), DONE))
        ended[#ended + 1] = task
        local token, result = args[3 * number], args[3 * number + 1]
        redis.call('XADD', inbox, '*', workflow_of(task), result, task, token)
      end
    end
    accepted[number] = current and 1 or 0
  end
  each('HSET', tasks, records)
  each('ZREM', leases, ended)
  return accepted
end

local function complete(keys, args)
  local count = tonumber(args[1])
  local accepted = publish_results(keys, args, count)
  local claim_at = 3 * count + 2
  if not args[claim_at] then return {accepted, {}, {}} end
  local answer, counts = claim_tasks(keys, read_claim(args, claim_at))
  return {accepted, answer, counts}
end
