-- Tells one shard of a shop's routing version and of what each endpoint may do there.
-- KEYS: routes, ready, pauses, then deliver of each endpoint. ARGV: shop, version, the pause that holds, the pause
-- that drops, then endpoint and state (open | keep | drop) of each.
local ROUTES, READY, PAUSES = unpack(KEYS, 1, 3)
local HOLDS, DROPS = ARGV[3], ARGV[4]
-- Somebody who read the list later was here: he knows better.
if stale(ROUTES, ARGV[1], tonumber(ARGV[2])) then return 0 end
redis.call('HSET', ROUTES, ARGV[1], ARGV[2])
for index = 4, #KEYS do
  local endpoint, state = ARGV[index * 2 - 3], ARGV[index * 2 - 2]
  local pause = redis.call('HGET', PAUSES, endpoint)
  if state == 'keep' then
    redis.call('HSET', PAUSES, endpoint, HOLDS)
  elseif state == 'drop' then
    redis.call('HSET', PAUSES, endpoint, DROPS)
  elseif pause == HOLDS or pause == DROPS then
    redis.call('HDEL', PAUSES, endpoint)
  end
  refresh_ready(READY, PAUSES, KEYS[index], endpoint)
end
return 1
