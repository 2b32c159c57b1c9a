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

-- Queues changes for one endpoint. list: {sequence, id, sequence, id, ...}.
local function queue(pending, deliver, ready, pauses, endpoint, subject, list, now)
  redis.call('ZADD', pending, 'NX', unpack(list))
  redis.call('ZADD', deliver, 'NX', whole(now), subject)
  refresh_ready(ready, pauses, deliver, endpoint)
end

-- Appends the changes of a plan and queues each for the endpoints that the plan names. Answers 'done' and their ids.
-- ARGV[data_at] and on: the data of each change; KEYS[queues_at] and on: pending
-- and deliver of each endpoint.
local function tell(plan, changes, log, ready, pauses, data_at, queues_at)
  local now = now_ms()
  local answer = {'done'}
  for index, change in ipairs(plan.changes) do
    answer[index + 1] = append(changes, log, plan.prefix, plan.id, change, ARGV[data_at + index - 1])
  end
  for index, route in ipairs(plan.routed) do
    local list = {}
    for _, which in ipairs(route.changes) do
      list[#list + 1] = plan.changes[which].seq
      list[#list + 1] = answer[which + 1]
    end
    local key = queues_at + (index - 1) * 2
    queue(KEYS[key], KEYS[key + 1], ready, pauses, route.endpoint, plan.id, list, now)
  end
  return answer
end
