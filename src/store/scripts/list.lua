-- Changes a shop's list of endpoints and raises its routing version. KEYS: shop. ARGV: add | remove, endpoint.
local held = redis.call('HMGET', KEYS[1], 'number', 'version', 'endpoints')
if not held[1] then return false end
local list = {}
for id in string.gmatch(held[3] or '', '%S+') do
  if id ~= ARGV[2] then list[#list + 1] = id end
end
if ARGV[1] == 'add' then list[#list + 1] = ARGV[2] end
local version = math.max(tonumber(held[2] or 0) + 1, now_ms())
redis.call('HSET', KEYS[1], 'version', whole(version), 'endpoints', table.concat(list, ' '))
return whole(version)
