#!lua flags=allow-oom
-- Takes the lease of an account that nobody holds. By the server's clock.
-- KEYS  lease     ARGV  owner, lease time, longest window in memory, wait where no holder is known, margin (all ms)
-- Gives the token (0: somebody holds it) and how long to wait before the first call.
local key, owner, lease, window = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local held = redis.call('HMGET', key, 'owner', 'token', 'expires', 'lease', 'window', 'safe_from')
local token, expires = tonumber(held[2] or '0'), tonumber(held[3] or '0')
local safe_from = tonumber(held[6] or '0')
if held[1] and expires > now then
  if held[1] ~= owner then
    return { 0, expires - now }
  end
  -- The answer to this very call was lost before; or it could not give the lease back, and what it called till now
  -- still counts: it starts anew with an empty window.
  safe_from = math.max(safe_from, now + math.max(window, tonumber(held[5] or '0')))
  redis.call('HSET', key, 'expires', now + lease, 'lease', lease, 'window', window, 'safe_from', safe_from)
  return { token, math.max(safe_from - now, 0) }
end

if not held[2] then
  safe_from = now + tonumber(ARGV[4])
elseif held[1] then
  -- It was not given back. Its holder may believe in one renewal more than this server remembers (a failover loses
  -- the last writes), and what it called stays in its windows.
  local longest = math.max(window, tonumber(held[5] or '0'))
  safe_from = math.max(safe_from, expires + tonumber(held[4] or ARGV[2]) + longest + tonumber(ARGV[5]))
end
-- Tokens rise even where the last ones were lost.
token = math.max(token + 1, now)
redis.call('HSET', key, 'owner', owner, 'token', token, 'expires', now + lease, 'lease', lease, 'window', window,
  'safe_from', safe_from)
return { token, math.max(safe_from - now, 0) }
