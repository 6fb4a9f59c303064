-- Takes a share of each limit from one customer's minute (mode "take", all limits or none) or corrects what was taken (mode "correct").
-- KEYS: one for each limit. ARGV: limit per minute, least, wanted for each key, then the mode.
-- Times are microseconds. Sums stay far below 2^53, where Lua's numbers are exact.
-- Returns for each key: microseconds that are missing, units that are left, microseconds until all is free again, units that were granted.
-- The last value is 1 when the units were granted, else 0.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local minute, taking = 60000000, ARGV[#ARGV] == 'take'
local before, after, granted, step, ok = {}, {}, {}, {}, 1
for i, key in ipairs(KEYS) do
    local limit, least, wanted = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    step[i] = minute / limit
    before[i] = math.max(now, tonumber(redis.call('GET', key) or '0'))
    granted[i] = taking and before[i] + math.floor(wanted * step[i]) - now <= minute and wanted or least
    after[i] = before[i] + math.floor(granted[i] * step[i])
    if taking and granted[i] > 0 and after[i] - now > minute then ok = 0 end
end
local out = {}
for i, key in ipairs(KEYS) do
    local new = ok == 1 and math.max(now, math.min(after[i], now + 2 * minute)) or before[i]
    if ok == 1 then redis.call('SET', key, string.format('%.0f', new), 'PX', 180000) end
    out[4 * i - 3] = granted[i] > 0 and math.max(0, after[i] - now - minute) or 0
    out[4 * i - 2] = math.max(0, math.floor((now + minute - new) / step[i]))
    out[4 * i - 1] = new - now
    out[4 * i] = granted[i]
end
out[#out + 1] = ok
return out
