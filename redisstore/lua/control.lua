-- Common to all scripts. KEYS[1..4] are ctl, tb, kb and wi of one partition.
local CTL, TB, KB, WI = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local MARGIN = 3600000 -- ms by which the control keys outlive every entry

-- call is redis.call for keys that may hold anything: a key of the wrong type
-- counts as absent. Any other error is one, such as that of a right that is missing.
local function call(...)
	local v = redis.pcall(...)
	if type(v) ~= 'table' or not v.err then return v end
	if string.find(v.err, 'WRONGTYPE', 1, true) then return false end
	error(v)
end

local function now()
	local t = redis.call('TIME')
	return t[1] * 1000000 + t[2]
end

-- whole formats a number, exactly: servers differ in how they print a large one.
local function whole(n) return string.format('%.0f', n) end

-- load returns the control record, nil when it is missing or damaged. Numbers
-- are exact up to 2^53, which microseconds reach in 2255.
local function load_control()
	local raw = call('GET', CTL)
	if not raw then return nil end
	local inc, v, b, kf, bf, f, l, h, at =
		string.match(raw, '^f3:(%x+):(%d+):(%d+):(%d+):(%d+):(%d+):(%d+):(%d+):(%x+)$')
	if not inc or #inc ~= 16 then return nil end
	return {inc = inc, version = tonumber(v), ban = tonumber(b), key_floor = tonumber(kf), ban_floor = tonumber(bf),
		fenced = tonumber(f), longest = tonumber(l), horizon = tonumber(h), server = at}
end

local function format_control(c)
	return string.format('f3:%s:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%s',
		c.inc, c.version, c.ban, c.key_floor, c.ban_floor, c.fenced, c.longest, c.horizon, c.server)
end

local function save_control(c)
	redis.call('SET', CTL, format_control(c), 'KEEPTTL')
end

-- intact reports whether histories and records are those of c.
local function intact(c)
	local sentinel = '!' .. c.inc
	return call('ZSCORE', TB, sentinel) and call('ZSCORE', KB, sentinel) and call('ZSCORE', WI, sentinel)
end

-- server names this server and its present life. The run id is new whenever the
-- process starts. A server that is promoted may have been running all the time,
-- and been a master before: it remembers the history that it then left behind as
-- its second replication id. The first one would be simpler, but it also changes
-- when a master gets its first replica, and then nothing has been lost. The second
-- result is whether it was promoted.
local function server()
	local info = redis.call('INFO', 'server', 'replication')
	local run = string.match(info, 'run_id:(%w+)') or ''
	local left = string.match(info, 'master_replid2:(%w+)') or ''
	return string.sub(redis.sha1hex(run .. ':' .. left), 1, 16), string.find(left, '[^0]') ~= nil
end

-- outlive puts the expiry of the control keys off, so that they outlive what
-- lives for ttl ms; by more than needed, so that not every call has to.
local function outlive(c, ttl)
	if redis.call('PTTL', CTL) < ttl + MARGIN / 2 then
		for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], math.max(ttl, c.horizon) + MARGIN) end
	end
end

-- clear_at puts on record that everything is to be invalidated at a time. All
-- that fall into one second are one record, at its end, so there are never many.
local function clear_at(time)
	local due = whole(math.ceil(time / 1000000) * 1000000)
	redis.call('ZADD', WI, due, 'o:' .. due .. ':0000000000000000:*,0:')
end

-- fence refuses what member covers, and is loaded under a stamp of less than us
-- after the version, to be stored. The version follows the clock as long as there
-- is a fence (claim.lua), so that it ends. Every process is to learn of it, of those
-- over keys too: it has to be made up for if it is lost.
local function fence(c, key, member, us)
	local ends = c.version + us
	redis.call('ZADD', key, 'GT', whole(ends), '~' .. member)
	c.fenced = math.max(c.fenced, ends)
	c.longest = math.max(c.longest, us)
	c.ban = c.version
end

-- ensure returns the control record, of a new incarnation when something of the
-- old one is lost; when moved also if it began on another server. Nothing else
-- changes the server in the record, so it is never newer than the incarnation.
-- ARGV[1] of every script that may come here is a name for a new incarnation,
-- ARGV[2] the deadline of intents, ARGV[3] the longest fence that the caller knows
-- of, and ARGV[4] in what time every process turns to a server that was promoted,
-- see turn.go, in us.
--
-- Everything misses now, and once more after the deadline. The second stands in
-- for the intents that may be lost with the old life: a write that is under way
-- may still commit, and its process die. Those whose processes live are put back
-- on record by them. What is still on record stays. Where fences are in use, one
-- over everything stands in for those that were in force. On a server that was
-- promoted nothing counts up to the version !turned; the version follows the clock
-- until then. It may have been promoted with no record at all.
local function ensure(moved)
	local inc, c = ARGV[1], load_control()
	if c and intact(c) and not (moved and c.server ~= server()) then return c end
	local turn, here, promoted = 0, server()
	if promoted and not (c and c.server == here) then turn = tonumber(ARGV[4]) end
	local time, longest = now(), math.max(tonumber(ARGV[3]), c and c.longest or 0)
	c = {inc = inc, version = time, ban = 0, key_floor = 0, ban_floor = 0,
		fenced = time + turn, longest = longest, horizon = 0, server = here}
	redis.call('DEL', CTL, TB, KB)
	if not call('ZREMRANGEBYSCORE', WI, 'inf', 'inf') then redis.call('DEL', WI) end
	for i = 2, 4 do redis.call('ZADD', KEYS[i], 'inf', '!' .. inc) end
	clear_at(time + turn + tonumber(ARGV[2]))
	if turn > 0 then redis.call('ZADD', TB, whole(c.fenced), '!turned') end
	if longest > 0 then
		fence(c, TB, '*', turn + longest) -- the old master takes fences until all have turned
		c.longest = longest
	end
	redis.call('SET', CTL, format_control(c))
	for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], MARGIN) end
	return c
end
