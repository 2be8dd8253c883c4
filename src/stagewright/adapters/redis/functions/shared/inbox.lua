-- An inbox entry has one field: its name is the workflow, its value the message. What completes a
-- task has a second one: the task and the token that was proved. What others wrote in another shape
-- keeps all its words, so that it can be looked at as a dead letter.

-- Returns the workflow ('' when it cannot be told), the message, and task and token ('' for none).
local function read_entry(fields)
  local workflow, task, token = fields[1], fields[3] or '', fields[4] or ''
  local ours = string.sub(task, 1, #workflow + 1) == workflow .. '/'
  local proved = #fields == 4 and ours and string.match(token, '^%d+$')
  if #fields ~= 2 and not proved then return '', table.concat(fields, ' '), '', '' end
  return string.match(workflow, '^p%d+%-%x+$') or '', fields[2], task, token
end
