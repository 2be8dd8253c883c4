-- Finds workflows of one partition by index. Members of `index` are term, update time and workflow,
-- tab separated; those of the term `all` go on with key and name.
-- Flags: no-writes
--
-- KEYS: index
-- ARGV: first and last bound of the range that is looked through, 1 to go backwards, rows wanted,
--   rows to look at, prefix of id, key or name ('' for any), other terms that must hold..
-- Answer: (update time, workflow).., 1 if more may follow, and update time and workflow of the row
--   looked at last

local STRIDE = 256

local function begins(text, prefix)
  return string.sub(text, 1, #prefix) == prefix
end

local function fits(index, time, workflow, rest, args)
  local text = args[6]
  if text ~= '' then
    local key, name = string.match(rest, '^\t([^\t]*)\t(.*)$')
    if not (begins(workflow, text) or begins(key, text) or begins(name, text)) then return false end
  end
  for at = 7, #args do
    local member = args[at] .. '\t' .. time .. '\t' .. workflow
    if not redis.call('ZSCORE', index, member) then return false end
  end
  return true
end

local function stretch(index, first, last, backwards)
  if backwards then
    return redis.call('ZREVRANGEBYLEX', index, last, first, 'LIMIT', 0, STRIDE)
  end
  return redis.call('ZRANGEBYLEX', index, first, last, 'LIMIT', 0, STRIDE)
end

local function query(keys, args)
  local index, first, last, backwards = keys[1], args[1], args[2], args[3] == '1'
  local wanted, budget = tonumber(args[4]), tonumber(args[5])
  local rows, looked, last_time, last_workflow = {}, 0, '', ''
  while true do
    local members = stretch(index, first, last, backwards)
    for _, member in ipairs(members) do
      if #rows == 2 * wanted or looked == budget then
        return {rows, 1, last_time, last_workflow}
      end
      local time, workflow, rest = string.match(member, '^[^\t]*\t(%d+)\t([^\t]*)(.*)$')
      if fits(index, time, workflow, rest, args) then add(rows, time, workflow) end
      looked, last_time, last_workflow = looked + 1, time, workflow
    end
    if #members < STRIDE then return {rows, 0, last_time, last_workflow} end
    local behind = '(' .. members[#members]
    if backwards then last = behind else first = behind end
  end
end
