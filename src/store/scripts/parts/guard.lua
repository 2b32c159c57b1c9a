-- The name of the first key whose type is not the expected one, or nothing.
-- expected: list of {key, type}.
local function damaged(expected)
  for _, pair in ipairs(expected) do
    local found = redis.call('TYPE', pair[1]).ok
    if found ~= 'none' and found ~= pair[2] then
      return 'WISMODAMAGED ' .. pair[1] .. ' is a ' .. found .. ', not a ' .. pair[2]
    end
  end
end

-- Whether the shard has heard of a newer list of the shop's endpoints than the one that was used.
local function stale(routes, shop, version)
  local seen = redis.call('HGET', routes, shop)
  return seen and tonumber(seen) > version
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Numbers in full, as Redis writes them.
local function whole(number)
  return string.format('%.0f', number)
end
