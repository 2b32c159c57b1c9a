-- Appends a change about an endpoint and queues it. KEYS: the fixed ones below, then pending and deliver of each
-- receiving endpoint. ARGV: plan (JSON), data.
local plan = cjson.decode(ARGV[1])
local CHANGES, LOG, ROUTES, READY, PAUSES = unpack(KEYS, 1, 5)
local wrong = damaged({{CHANGES, 'stream'}, {LOG, 'zset'}, {ROUTES, 'hash'}, {READY, 'zset'}, {PAUSES, 'hash'}})
if wrong then return redis.error_reply(wrong) end
for _, entry in ipairs(redis.call('XREVRANGE', CHANGES, '+', '-', 'COUNT', 64)) do
  if entry[2][11] == 'once' and entry[2][12] == plan.token then
    return {'done', plan.prefix .. (string.gsub(entry[1], '-', '_'))}
  end
end
if stale(ROUTES, plan.shop, plan.version) then return {'stale'} end

local now = now_ms()
local last = redis.call('ZRANGE', LOG, -1, -1, 'WITHSCORES')[2]
local sequence = whole(math.max(now, tonumber(last or 0) + 1))
local change = {v = plan.v, type = plan.type, seq = sequence}
local id = append(CHANGES, LOG, plan.prefix, plan.subject, change, ARGV[2], plan.token)
for index, endpoint in ipairs(plan.endpoints) do
  local key = 6 + (index - 1) * 2
  queue(KEYS[key], KEYS[key + 1], READY, PAUSES, endpoint, plan.subject, {sequence, id}, now)
end
return {'done', id}
