-- The events of shoppers, their accounts, and the sessions of all of them, as id, JSON, id, JSON, …
-- ARGV  shopper ids, such as account:ada
local ids, seen = {}, {}
local function add(id)
  if seen[id] then return end
  seen[id] = true
  ids[#ids + 1] = id
end
for _, id in ipairs(ARGV) do
  local account = redis.call('GET', 'user:' .. id .. ':account') or id
  add(id)
  add(account)
  for _, session in ipairs(redis.call('LRANGE', 'user:' .. account .. ':sessions', 0, -1)) do add(session) end
end
local events = {}
for _, id in ipairs(ids) do
  for _, text in ipairs(redis.call('HGETALL', 'user:' .. id .. ':recent_events')) do events[#events + 1] = text end
end
return events
