-- Commits a tracker: state, next poll, timers, changes and their deliveries, together or not at all.
-- KEYS: the fixed ones below, then pending and deliver of each routed endpoint.
-- ARGV: plan (JSON), events, about, the data of each change, then fields and values of the hash.
local plan = cjson.decode(ARGV[1])
local TRACKER, EVENTS, ABOUT, LOG, TIMERS, CHANGES = unpack(KEYS, 1, 6)
local ROUTES, READY, PAUSES, LOOSE, DUE_BEFORE, DUE = unpack(KEYS, 7, 12)
local STATUS_BEFORE, STATUS, CONDITIONS, ROUTED = KEYS[13], KEYS[14], 15, 19
local TEXTS = 3

local expected = {
  {TRACKER, 'hash'}, {EVENTS, 'string'}, {ABOUT, 'string'}, {LOG, 'zset'}, {TIMERS, 'zset'}, {CHANGES, 'stream'},
  {ROUTES, 'hash'}, {READY, 'zset'}, {PAUSES, 'hash'}, {LOOSE, 'zset'}, {DUE_BEFORE, 'zset'}, {DUE, 'zset'},
}
for index = 13, #KEYS do
  expected[#expected + 1] = {KEYS[index], 'zset'}
end
local wrong = damaged(expected)
if wrong then return redis.error_reply(wrong) end

local held = redis.call('HMGET', TRACKER, 'revision', 'commit')
if held[1] then
  if held[2] == plan.token then
    -- A repeat: it was done, and only the answer was lost.
    local answer = {'done'}
    if #plan.changes > 0 then
      local first, last = plan.changes[1].seq, plan.changes[#plan.changes].seq
      for _, id in ipairs(redis.call('ZRANGE', LOG, first, last, 'BYSCORE')) do
        answer[#answer + 1] = id
      end
    end
    return answer
  end
  if plan.create then return {'exists'} end
  if held[1] ~= plan.expected then return {'lost'} end
elseif not plan.create then
  return {'gone'}
end
if stale(ROUTES, plan.shop, plan.version) then return {'stale'} end

-- Everything is checked: from here on nothing may fail.
redis.call('HSET', TRACKER, 'commit', plan.token, unpack(ARGV, TEXTS + #plan.changes + 1))
if #plan.absent > 0 then redis.call('HDEL', TRACKER, unpack(plan.absent)) end
for index, key in ipairs({EVENTS, ABOUT}) do
  local text = ARGV[index + 1]
  if text == '' then
    redis.call('DEL', key)
  elseif text ~= '=' then
    redis.call('SET', key, text)
  end
end

if DUE_BEFORE ~= DUE then redis.call('ZREM', DUE_BEFORE, plan.id) end
if plan.due then redis.call('ZADD', DUE, plan.due, plan.id) else redis.call('ZREM', DUE, plan.id) end
if STATUS_BEFORE ~= STATUS then redis.call('ZREM', STATUS_BEFORE, plan.id) end
if plan.status_since then redis.call('ZADD', STATUS, plan.status_since, plan.id) end
for index, since in ipairs(plan.open) do
  if since == '-' then
    redis.call('ZREM', KEYS[CONDITIONS + index - 1], plan.id)
  elseif since ~= '=' then
    redis.call('ZADD', KEYS[CONDITIONS + index - 1], since, plan.id)
  end
end
if #plan.timers_off > 0 then redis.call('ZREM', TIMERS, unpack(plan.timers_off)) end
if #plan.timers_on > 0 then redis.call('ZADD', TIMERS, unpack(plan.timers_on)) end
if #plan.found > 0 then redis.call('ZREM', LOOSE, unpack(plan.found)) end
for _, lost in ipairs(plan.lost) do redis.call('ZADD', LOOSE, whole(now_ms()), lost) end

return tell(plan, CHANGES, LOG, READY, PAUSES, TEXTS + 1, ROUTED)
