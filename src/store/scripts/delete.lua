-- Erases a tracker; its last changes (if any) stay in the log and are delivered.
-- KEYS: the fixed ones below, then pending and deliver of each routed endpoint. ARGV: plan (JSON), data of each change.
local plan = cjson.decode(ARGV[1])
local TRACKER, EVENTS, ABOUT, LOG, TIMERS, CHANGES = unpack(KEYS, 1, 6)
local ROUTES, READY, PAUSES, LOOSE, DUE, STATUS = unpack(KEYS, 7, 12)
local SENT, ANSWER, CONDITIONS, ROUTED = KEYS[13], KEYS[14], 15, 19

local wrong = damaged({
  {TRACKER, 'hash'}, {LOG, 'zset'}, {TIMERS, 'zset'}, {CHANGES, 'stream'}, {ROUTES, 'hash'}, {READY, 'zset'},
  {PAUSES, 'hash'}, {LOOSE, 'zset'}, {DUE, 'zset'}, {STATUS, 'zset'},
})
if wrong then return redis.error_reply(wrong) end
local revision = redis.call('HGET', TRACKER, 'revision')
if not revision then return {'gone'} end
if revision ~= plan.expected then return {'lost'} end
if stale(ROUTES, plan.shop, plan.version) then return {'stale'} end

-- What the log says of it is erased; deliveries that still wait find nothing and end as erased.
for _, id in ipairs(redis.call('ZRANGE', LOG, 0, -1)) do
  local ms, n = string.match(id, '_(%d+)_(%d+)$')
  redis.call('XDEL', CHANGES, ms .. '-' .. n)
end
redis.call('DEL', TRACKER, EVENTS, ABOUT, LOG, SENT, ANSWER)
redis.call('ZREM', DUE, plan.id)
redis.call('ZREM', STATUS, plan.id)
redis.call('ZREM', TIMERS, unpack(plan.timers_off))
for index = CONDITIONS, CONDITIONS + 3 do
  redis.call('ZREM', KEYS[index], plan.id)
end
for _, loose in ipairs(plan.lost) do
  redis.call('ZADD', LOOSE, whole(now_ms()), loose)
end

return tell(plan, CHANGES, LOG, READY, PAUSES, 2, ROUTED)
