-- Notes that a session belongs to an account; the first account stays.
-- KEYS  1 account of the session  2 sessions of the account (list, the last one first)
-- ARGV  1 session  2 account  3 sessions max  4 how long it is kept, ms
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('LREM', KEYS[2], 0, ARGV[1])
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
