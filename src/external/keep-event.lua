-- Keeps an event of a shopper once, and derives from all kept events what other services read. Derived anew from the set each time,
-- because counters that are added to would count a resent event twice.
-- KEYS  1 events (hash: id -> JSON)  2 items (list)  3 categories (hash)  4 last_active (string)  5 when the shopper was forgotten, ms
-- ARGV  1 event id  2 JSON {at, occurred_at, product_id, event_type, category?, brand?}  3 now, ms since 1970  4 now, RFC 3339
--       5 idle, ms  6 events max  7 items max  8 'keep', or 'describe' for an event that is kept without category and brand
local sent = cjson.decode(ARGV[2])
if sent.at <= (tonumber(redis.call('GET', KEYS[5]) or '') or -math.huge) then return 0 end
local known = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[8] == 'describe' then
  if not known then return 0 end
  local kept = cjson.decode(known)
  if kept.category or kept.brand then return 0 end
elseif known then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])

-- What other programs wrote into the hash is left alone.
local function isEvent(event)
  if type(event) ~= 'table' or type(event.at) ~= 'number' or math.abs(event.at) > 8.64e15 then return false end
  return type(event.occurred_at) == 'string' and type(event.product_id) == 'string' and type(event.event_type) == 'string'
end

local fields = redis.call('HGETALL', KEYS[1])
local events = {}
for place = 1, #fields, 2 do
  local isJson, event = pcall(cjson.decode, fields[place + 1])
  if isJson and isEvent(event) then
    event.id = fields[place]
    events[#events + 1] = event
  end
end
table.sort(events, function(one, other)
  if one.at ~= other.at then return one.at > other.at end
  return one.id > other.id
end)
for place = tonumber(ARGV[6]) + 1, #events do
  redis.call('HDEL', KEYS[1], events[place].id)
  events[place] = nil
end

-- The visit: back from now to the first pause that is too long.
local now, idle = tonumber(ARGV[3]), tonumber(ARGV[5])
local items, seen, categories = {}, {}, {}
local later = now
for _, event in ipairs(events) do
  local at = math.min(event.at, now)
  if later - at > idle then break end
  later = at
  if not seen[event.product_id] and #items < tonumber(ARGV[7]) then
    seen[event.product_id] = true
    items[#items + 1] = event.product_id
  end
  if type(event.category) == 'string' then categories[event.category] = (categories[event.category] or 0) + 1 end
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
if #items > 0 then
  redis.call('RPUSH', KEYS[2], unpack(items))
  redis.call('SET', KEYS[4], events[1].at > now and ARGV[4] or events[1].occurred_at)
end
for category, count in pairs(categories) do redis.call('HSET', KEYS[3], category, count) end
for place = 1, 4 do redis.call('PEXPIRE', KEYS[place], idle) end
return 1
