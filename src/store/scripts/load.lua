-- A tracker's three parts as they were at one moment, or what is wrong with them. KEYS: tracker, events, about.
local wrong = damaged({{KEYS[1], 'hash'}, {KEYS[2], 'string'}, {KEYS[3], 'string'}})
if wrong then return wrong end
return {redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])}
