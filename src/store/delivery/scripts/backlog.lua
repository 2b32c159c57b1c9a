-- Counts what waits for one endpoint in one shard, a piece at a time, and finds the lowest heads.
-- KEYS  deliver     ARGV  cursor, prefix of pending keys
-- Gives the next cursor, how many changes wait, and the head of each subject seen.
local page = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', 100)
local count, heads = 0, {}
for n = 1, #page[2], 2 do
  local pending = ARGV[2] .. page[2][n]
  count = count + redis.call('ZCARD', pending)
  local head = redis.call('ZRANGE', pending, 0, 0)[1]
  if head then
    heads[#heads + 1] = head
  end
end
return { page[1], count, heads }
