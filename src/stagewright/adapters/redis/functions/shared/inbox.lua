-- An inbox entry has one field: its name is the workflow, its value the message. What others wrote
-- in another shape keeps all its words, so that it can be looked at as a dead letter.

-- Returns the workflow ('' when it cannot be told) and the message.
local function read_entry(fields)
  if #fields ~= 2 then return '', table.concat(fields, ' ') end
  local workflow = string.match(fields[1], '^p%d+%-%x+$') or ''
  return workflow, fields[2]
end
