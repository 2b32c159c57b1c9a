-- Drops what some subjects still had to tell an endpoint that is to get nothing any more.
-- KEYS: ready, pauses, deliver, then pending and attempt of each subject. ARGV: endpoint, the pause that drops, subjects.
local READY, PAUSES, DELIVER = unpack(KEYS, 1, 3)
-- It was enabled again in this moment: what waits now is to be delivered.
if redis.call('HGET', PAUSES, ARGV[1]) ~= ARGV[2] then return 0 end
for index = 4, #KEYS do
  redis.call('DEL', KEYS[index])
end
for index = 3, #ARGV do
  redis.call('ZREM', DELIVER, ARGV[index])
end
refresh_ready(READY, PAUSES, DELIVER, ARGV[1])
return 1
