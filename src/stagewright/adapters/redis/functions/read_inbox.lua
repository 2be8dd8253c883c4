-- Reads messages one by one, so that one too big for the reader stays on the server.
-- Flags: no-writes
--
-- KEYS: inbox
-- ARGV: position read last, limit, largest message (bytes), most bytes in one answer
-- Answer: per message position, size (bytes), the message ('' when it is too big), task and token

local function read_inbox(keys, args)
  local from, limit, largest, budget = args[1], unpack(args, 2, 4)
  local answer, total = {}, 0
  for _ = 1, tonumber(limit) do
    local entry = redis.call('XRANGE', keys[1], '(' .. from, '+', 'COUNT', 1)[1]
    if not entry or total > tonumber(budget) then break end
    local _, message, task, token = read_entry(entry[2])
    local size = #message
    if size > tonumber(largest) then message = '' end
    from, total = entry[1], total + #message
    add(answer, from, size)
    add(answer, message, task)
    answer[#answer + 1] = token
  end
  return answer
end
