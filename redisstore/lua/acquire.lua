-- Takes the lease, or asks to be told of its release.
-- ARGV: token; incarnation and version of the stamp; the newest ban that the
-- caller knows of; the key's member in kb; ms; '1' to take the lease when it is
-- free, '0' to only wait for it.
-- KEYS[5] is the entry.
-- Returns the ms after which the lease ends unless it is kept alive; 0 when it
-- is free, or now the caller's; -1 when the answer is there already: the load of
-- another was stored between the caller's look-up and now.
local h = holder()
local token, inc, version = ARGV[1], ARGV[2], tonumber(ARGV[3])
if h and not superseded(h, inc, version, tonumber(ARGV[4]), ARGV[5]) then
	if ARGV[7] == '0' then redis.call('SETRANGE', lease, 0, '1') end
	return math.max(1, redis.call('PTTL', lease))
end
if ARGV[7] == '1' then
	-- Incarnation and version stand at 16 and 24 of an envelope.
	local stored = call('GETRANGE', KEYS[5], 16, 31)
	if stored and #stored == 16 and struct.unpack('>I8', stored, 9) >= version and
		string.format('%02x%02x%02x%02x%02x%02x%02x%02x', string.byte(stored, 1, 8)) == inc then
		return -1
	end
	-- Those who wait for a holder that is replaced now wait for the new one.
	local waiting = h and h.waiting or '0'
	redis.call('SET', lease, waiting .. token .. '|' .. inc .. '|' .. ARGV[3], 'PX', ARGV[6])
end
return 0
