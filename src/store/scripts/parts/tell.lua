-- Appends a change to the log; its id follows from the stream's. prefix: 'evt_<shard>_<shop number>_'.
local function append(changes, log, prefix, subject, change, data, once)
  local fields = {'v', change.v, 'type', change.type, 'subject', subject, 'seq', change.seq, 'data', data}
  if once then
    fields[#fields + 1] = 'once'
    fields[#fields + 1] = once
  end
  local entry = redis.call('XADD', changes, '*', unpack(fields))
  local id = prefix .. (string.gsub(entry, '-', '_'))
  redis.call('ZADD', log, change.seq, id)
  return id
end

-- An endpoint is ready when its earliest delivery is due and its pause is over.
local function refresh_ready(ready, pauses, deliver, endpoint)
  local first = redis.call('ZRANGE', deliver, 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', ready, endpoint)
    return
  end
  local pause = tonumber(redis.call('HGET', pauses, endpoint) or 0)
  redis.call('ZADD', ready, whole(math.max(tonumber(first[2]), pause)), endpoint)
end

-- Queues changes for one endpoint. list: {sequence, id, sequence, id, ...}.
local function queue(pending, deliver, ready, pauses, endpoint, subject, list, now)
  redis.call('ZADD', pending, 'NX', unpack(list))
  redis.call('ZADD', deliver, 'NX', whole(now), subject)
  refresh_ready(ready, pauses, deliver, endpoint)
end
