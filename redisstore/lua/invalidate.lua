-- Bans targets, removes the keys among them, and changes what is on record.
-- KEYS[5..] are what to unlink: for each key its entry, the marker of its variants
-- and its lease.
-- ARGV: those of records.lua; the channel of leases; how long bans of keys are
-- kept, in us; how many bans are kept of each kind; how many members are tags and
-- so on; these; then the members of the keys. A member comes after its fence in us,
-- 0 for none. Returns the version, negative when it does not count yet: see turn.go.
local c = ensure()
local time = now()
local _, at = records(time)
local channel, keep, most, tags = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
at = at + 4
c.version = math.max(c.version + 1, time)
local version = whole(c.version)

for i = at, #ARGV, 2 do
	local key, us = i < at + 2 * tags and TB or KB, tonumber(ARGV[i])
	redis.call('ZADD', key, version, ARGV[i + 1])
	if us > 0 then fence(c, key, ARGV[i + 1], us) end
end
if tags > 0 then c.ban = c.version end

for i = 5, #KEYS, 3 do
	local lease = call('GET', KEYS[i + 2])
	redis.call('UNLINK', KEYS[i], KEYS[i + 1], KEYS[i + 2])
	-- Those who wait for the lease are to look again.
	if lease and string.sub(lease, 1, 1) == '1' then
		redis.call('PUBLISH', channel, '1' .. KEYS[i + 2])
	end
end

-- trim drops bans that are older than a version, or more than most, and returns
-- the largest version dropped. It drops faster than bans are added, but not
-- everything at once. What was loaded under a stamp below the floor counts as
-- banned, so a floor may be too high but never too low.
local function trim(key, before, floor)
	local limit = #ARGV + 32
	local old = redis.call('ZRANGE', key, '-inf', '(' .. whole(before),
		'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
	for i = 1, #old, 2 do
		redis.call('ZREM', key, old[i])
		floor = math.max(floor, tonumber(old[i + 1]))
	end
	local excess = math.min(redis.call('ZCARD', key) - 1 - most, limit)
	if excess > 0 then
		old = redis.call('ZPOPMIN', key, excess)
		for i = 2, #old, 2 do floor = math.max(floor, tonumber(old[i])) end
	end
	return floor
end
c.key_floor = trim(KB, time - keep, c.key_floor)
c.ban_floor = trim(TB, time - (c.horizon + MARGIN) * 1000, c.ban_floor)

save_control(c)
-- The other half of what settled is to look-ups.
local turned = redis.call('ZSCORE', TB, '!turned')
if turned and c.version < tonumber(turned) then return '-' .. version end
return version
