-- Counts the workflows of one partition by status, stepping from status to status.
-- Flags: no-writes
--
-- KEYS: index
-- Answer: per status: status, number of workflows

local function counts(keys)
  local answer, from = {}, '[status:'
  while true do
    local member = redis.call('ZRANGEBYLEX', keys[1], from, '(status;', 'LIMIT', 0, 1)[1]
    if not member then return answer end
    local term, status = string.match(member, '^(status:([^\t]*))\t')
    local behind = term .. '\n' -- the character after the tab
    add(answer, status, redis.call('ZLEXCOUNT', keys[1], '[' .. term .. '\t', '(' .. behind))
    from = '[' .. behind
  end
end
