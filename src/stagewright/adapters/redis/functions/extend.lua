-- Renews leases of one partition, never beyond the deadlines of their tasks.
-- Flags: allow-oom
--
-- KEYS: tasks leases
-- ARGV: now (ms), lease (ms), (task, token)..
-- Answer: per lease the new expiry (ms), 0 when it is not current or its deadline has passed

local function extend(keys, args)
  local tasks, leases = unpack(keys)
  local now, until_ms = tonumber(args[1]), tonumber(args[1]) + tonumber(args[2])
  local named, renewed, answer = {}, {}, {}
  for at = 3, #args, 2 do named[#named + 1] = args[at] end
  for number, packed in ipairs(fetch(tasks, named)) do
    answer[number] = 0
    if packed and token_of(packed) == tonumber(args[2 * number + 2]) then
      local state, _, _, _, _, _, _, _, deadline = struct.unpack(RECORD, packed)
      if state == LEASED and deadline > now then
        answer[number] = math.min(until_ms, deadline)
        add(renewed, string.format('%d', answer[number]), named[number])
      end
    end
  end
  each('ZADD', leases, renewed)
  return answer
end
