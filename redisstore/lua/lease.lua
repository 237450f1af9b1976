-- A lease is kept under KEYS[5] as one byte, '1' when somebody waits for it,
-- then token and incarnation in 16 hexadecimal digits each, then the version of
-- the holder's stamp.
local lease = KEYS[5]

local function holder()
	local raw = call('GET', lease)
	if not raw then return nil end
	local waiting, token, inc, version = string.match(raw, '^([01])(%x+)|(%x+)|(%d+)$')
	if not waiting then return nil end
	return {waiting = waiting, token = token, inc = inc, version = tonumber(version)}
end

-- superseded reports whether an invalidation that covers the key came after the
-- holder's load began: nobody whose load would see it has to wait for that one.
-- floor is the newest ban by tag or pattern that the caller knows of, kb has the
-- ban of the key.
local function superseded(h, inc, version, floor, member)
	if version <= h.version then return false end
	if h.inc ~= inc then return true end
	local banned = call('ZSCORE', KB, member)
	return h.version < math.max(floor, tonumber(banned or 0))
end
