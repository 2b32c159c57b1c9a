-- Counts codes that a carrier's table does not know.
-- KEYS: codes of the carrier. ARGV: most codes, now (ms), then field, text and number of each.
local wrong = damaged({{KEYS[1], 'hash'}})
if wrong then return redis.error_reply(wrong) end
for at = 3, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[at])
  local entry
  if known then
    entry = cjson.decode(known)
    entry.count = entry.count + 1
  elseif redis.call('HLEN', KEYS[1]) < tonumber(ARGV[1]) then
    entry = {count = 1, first = tonumber(ARGV[2])}
  end
  if entry then
    entry.last, entry.text, entry.number = tonumber(ARGV[2]), ARGV[at + 1], ARGV[at + 2]
    redis.call('HSET', KEYS[1], ARGV[at], cjson.encode(entry))
  end
end
return 1
