-- One step of the sweep of one shard: deliveries that waited too long become dead.
-- It walks the endpoints in `ready` and, of each, the subjects; where it stands is kept in `sweep`.
-- KEYS  ready, pauses, buried, sweep
-- ARGV  now, oldest time allowed (ms), prefix of the shard's keys, error text
-- Gives 1 when the walk came to its end, and how many deliveries died.
local ready, pauses, buried, sweep = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, oldest, shard = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local MOST_OF_A_SUBJECT = 20
local MOST_OF_A_STEP = 50

-- A change id is evt_<shard>_<shop>_<ms>_<n>.
local function waits_since(change, replayed)
  local ms = tonumber(string.match(change, '^evt_%d+_%d+_(%d+)_%d+$') or '0')
  return math.max(ms, tonumber(redis.call('HGET', replayed, change) or '0'))
end

local function bury(subject, change, sequence, held, keys)
  local about = { subject = subject, sequence = sequence, attempts = '0', error = ARGV[4] }
  if held[2] == change then
    about.attempts = held[3] or '0'
    about.first_at = held[4] or nil
    about.last_at = held[5] or nil
    about.error = held[6] or ARGV[4]
    redis.call('DEL', keys.attempt)
  end
  redis.call('ZADD', keys.dead, now, change)
  redis.call('HSET', keys.about, change, cjson.encode(about))
  redis.call('ZREM', keys.pending, change)
  redis.call('HDEL', keys.replayed, change)
end

local function sweep_subject(endpoint, subject, due, keys)
  keys.pending = shard .. 'pending:' .. endpoint .. ':' .. subject
  keys.attempt = shard .. 'attempt:' .. endpoint .. ':' .. subject
  local held = redis.call('HMGET', keys.attempt, 'token', 'change', 'attempts', 'first_at', 'last_at', 'error')
  local died, head_died = 0, false
  local page = redis.call('ZRANGE', keys.pending, 0, MOST_OF_A_SUBJECT - 1, 'WITHSCORES')
  for n = 1, #page, 2 do
    local change = page[n]
    local in_flight = held[1] and held[2] == change and due > now
    if not in_flight and waits_since(change, keys.replayed) < oldest then
      bury(subject, change, page[n + 1], held, keys)
      died, head_died = died + 1, head_died or n == 1
    end
  end
  if redis.call('EXISTS', keys.pending) == 0 then
    redis.call('ZREM', keys.deliver, subject)
  elseif head_died and due > now then
    -- The dead one's next attempt is nothing to wait for.
    redis.call('ZADD', keys.deliver, 'XX', now, subject)
  end
  return died
end

local place = redis.call('HMGET', sweep, 'endpoint', 'cursor')
local endpoint, cursor = place[1], place[2] or '0'
if not endpoint or not redis.call('ZSCORE', ready, endpoint) then
  -- Members of `ready` move; names are walked in the order of the alphabet instead.
  local after = endpoint or ''
  endpoint, cursor = nil, '0'
  local scan = '0'
  repeat
    local page = redis.call('ZSCAN', ready, scan, 'COUNT', 500)
    scan = page[1]
    for n = 1, #page[2], 2 do
      local name = page[2][n]
      if name > after and (not endpoint or name < endpoint) then
        endpoint = name
      end
    end
  until scan == '0'
  if not endpoint then
    redis.call('DEL', sweep)
    return { 1, 0 }
  end
end

local keys = {
  deliver = shard .. 'deliver:' .. endpoint,
  dead = shard .. 'dead:' .. endpoint,
  about = shard .. 'dead-about:' .. endpoint,
  replayed = shard .. 'replayed:' .. endpoint,
}
local died = 0
local page = redis.call('ZSCAN', keys.deliver, cursor, 'COUNT', MOST_OF_A_STEP)
for n = 1, #page[2], 2 do
  died = died + sweep_subject(endpoint, page[2][n], tonumber(page[2][n + 1]), keys)
end
if died > 0 then
  refresh_buried(buried, keys.dead, endpoint)
  refresh_ready(ready, pauses, keys.deliver, endpoint)
end
-- With the cursor back at the start, this endpoint is done: the name alone says to go on behind it.
if page[1] == '0' then
  redis.call('HSET', sweep, 'endpoint', endpoint .. ' ', 'cursor', '0')
else
  redis.call('HSET', sweep, 'endpoint', endpoint, 'cursor', page[1])
end
return { 0, died }
