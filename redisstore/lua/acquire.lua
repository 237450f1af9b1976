-- Takes the lease, or asks to be told of its release.
-- ARGV: token; incarnation and version of the stamp; the newest ban that the
-- caller knows of; the key's member in kb; ms; '1' to take the lease when it is
-- free, '0' to only wait for it.
-- Returns the ms after which the lease ends unless it is kept alive; 0 when it
-- is free, or now the caller's. The caller's it may be from before, when the
-- answer to a first call was lost and the client has repeated it.
local h = holder()
local token, inc, version = ARGV[1], ARGV[2], tonumber(ARGV[3])
if h and h.token ~= token and not superseded(h, inc, version, tonumber(ARGV[4]), ARGV[5]) then
	if ARGV[7] == '0' then redis.call('SETRANGE', lease, 0, '1') end
	return math.max(1, redis.call('PTTL', lease))
end
if ARGV[7] == '1' then
	-- Those who wait for a holder that is replaced now wait for the new one.
	local waiting = h and h.waiting or '0'
	redis.call('SET', lease, waiting .. token .. '|' .. inc .. '|' .. ARGV[3], 'PX', ARGV[6])
end
return 0
