-- Removes the oldest entries of a change log, up to the first that somebody still waits for or that is listed as dead.
-- KEYS: changes, routes, trimmed, then for each entry its subject's log followed by pending and dead of each endpoint.
-- ARGV: shop, version, number of endpoints, then the id of each entry's change.
local CHANGES, ROUTES, TRIMMED = KEYS[1], KEYS[2], KEYS[3]
local endpoints = tonumber(ARGV[3])
if stale(ROUTES, ARGV[1], tonumber(ARGV[2])) then return -1 end
local trimmed = 0
for index = 4, #ARGV do
  local id = ARGV[index]
  local first = 4 + (index - 4) * (1 + endpoints * 2)
  for key = first + 1, first + endpoints * 2 do
    if redis.call('ZSCORE', KEYS[key], id) then return trimmed end
  end
  local ms, n = string.match(id, '_(%d+)_(%d+)$')
  redis.call('XDEL', CHANGES, ms .. '-' .. n)
  redis.call('HSET', TRIMMED, ARGV[1], ms .. '-' .. n)
  redis.call('ZREM', KEYS[first], id)
  trimmed = trimmed + 1
end
return trimmed
