-- Forgets shoppers, and notes when.
-- KEYS  of each shopper: all keys of what is kept, then that of when it was forgotten
-- ARGV  1 keys of each shopper  2 now, ms since 1970  3 how long the note is kept, ms
for place = 1, #KEYS do
  if place % tonumber(ARGV[1]) == 0 then
    redis.call('SET', KEYS[place], ARGV[2], 'PX', ARGV[3])
  else
    redis.call('DEL', KEYS[place])
  end
end
return 1
