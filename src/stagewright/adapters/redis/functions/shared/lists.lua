-- Lists of names in one text: every name stands between newlines, the empty list is one newline.

local function items(list)
  local names = {}
  for name in string.gmatch(list, '[^\n]+') do names[#names + 1] = name end
  return names
end

local function without(list, name)
  local item = '\n' .. name .. '\n'
  if list == item then return '\n' end
  local first, last = string.find(list, item, 1, true)
  if not first then return list end
  return string.sub(list, 1, first) .. string.sub(list, last + 1)
end
