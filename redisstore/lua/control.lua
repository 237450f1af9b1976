-- Common to all scripts. KEYS[1..3] are ctl, tb and kb of one partition.
local CTL, TB, KB = KEYS[1], KEYS[2], KEYS[3]
local MARGIN = 3600000 -- ms by which the control keys outlive every entry

-- call is redis.call for reads of keys that may hold anything: a key of the
-- wrong type counts as absent.
local function call(...)
	local v = redis.pcall(...)
	if type(v) == 'table' and v.err then return false end
	return v
end

local function now()
	local t = redis.call('TIME')
	return t[1] * 1000000 + t[2]
end

-- load returns the control record, nil when it is missing or damaged. Numbers
-- are exact up to 2^53, which microseconds reach in 2255.
local function load_control()
	local raw = call('GET', CTL)
	if not raw then return nil end
	local inc, v, b, kf, bf, h, at = string.match(raw, '^f2:(%x+):(%d+):(%d+):(%d+):(%d+):(%d+):(%x+)$')
	if not inc or #inc ~= 16 then return nil end
	return {inc = inc, version = tonumber(v), ban = tonumber(b), key_floor = tonumber(kf),
		ban_floor = tonumber(bf), horizon = tonumber(h), server = at}
end

local function format_control(c)
	return string.format('f2:%s:%.0f:%.0f:%.0f:%.0f:%.0f:%s',
		c.inc, c.version, c.ban, c.key_floor, c.ban_floor, c.horizon, c.server)
end

local function save_control(c)
	redis.call('SET', CTL, format_control(c), 'KEEPTTL')
end

-- intact reports whether both histories are those of c.
local function intact(c)
	return call('ZSCORE', TB, '!' .. c.inc) and call('ZSCORE', KB, '!' .. c.inc)
end

-- server names this server and its present life. The run id is new whenever the
-- process starts. A server that is promoted may have been running all the time,
-- and been a master before: it remembers the history that it then left behind as
-- its second replication id. The first one would be simpler, but it also changes
-- when a master gets its first replica, and then nothing has been lost.
local function server()
	local info = redis.call('INFO', 'server', 'replication')
	local run = string.match(info, 'run_id:(%w+)') or ''
	local left = string.match(info, 'master_replid2:(%w+)') or ''
	return string.sub(redis.sha1hex(run .. ':' .. left), 1, 16)
end

-- ensure returns the control record, of a new incarnation when something of the
-- old one is lost; with fence also when it began on another server. Nothing else
-- changes the server in the record, so it is never newer than the incarnation.
local function ensure(inc, fence)
	local c = load_control()
	if c and intact(c) and not (fence and c.server ~= server()) then return c end
	c = {inc = inc, version = now(), ban = 0, key_floor = 0, ban_floor = 0, horizon = 0, server = server()}
	redis.call('DEL', CTL, TB, KB)
	redis.call('ZADD', TB, 'inf', '!' .. inc)
	redis.call('ZADD', KB, 'inf', '!' .. inc)
	redis.call('SET', CTL, format_control(c))
	for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], MARGIN) end
	return c
end
