-- Changes what is on record in wi. A member is a kind, when it began in us, a
-- token and the targets, which only the processes read:
--   i  an intent: due when nobody has kept it alive up to its score
--   r  the same, after it has been carried out
--   o  due once: see clear_at
--
-- ARGV, after those of ensure: in how many us new ones fall due; how many of each
-- that follow; members whose writes have ended; members that have been carried out;
-- new members, with ? for now where the write has not begun yet.
local MOST_RECORDS = 100000
local REPEATED = 600000000 -- us for which an intent is carried out again

-- done: an intent is carried out again after as long as it has been there, until
-- it has been there for some minutes. A process that was frozen, or whose commit
-- waits in the database, may change its data after it was given up.
local function done(member, time)
	if redis.call('ZREM', WI, member) == 0 or string.sub(member, 1, 1) == 'o' then return end
	local age = math.max(1000000, time - (tonumber(string.match(member, '^%l:(%d+):')) or 0))
	if age < REPEATED then
		redis.call('ZADD', WI, whole(time + age), 'r' .. string.sub(member, 2))
	end
end

-- add reports whether there was room.
local function add(member, due, time)
	if string.sub(member, 1, 3) == 'i:?' then member = 'i:' .. whole(time) .. string.sub(member, 4) end
	if redis.call('ZCARD', WI) > MOST_RECORDS and not redis.call('ZSCORE', WI, member) then return false end
	redis.call('ZADD', WI, whole(due), member)
	return true
end

-- records makes the changes. It returns whether there was room for all, and what
-- comes first in ARGV after them.
local function records(time)
	local due, at, room = time + tonumber(ARGV[5]), 9, true
	for _ = 1, tonumber(ARGV[6]) do
		redis.call('ZREM', WI, ARGV[at], 'r' .. string.sub(ARGV[at], 2))
		at = at + 1
	end
	for _ = 1, tonumber(ARGV[7]) do
		done(ARGV[at], time)
		at = at + 1
	end
	for _ = 1, tonumber(ARGV[8]) do
		room = add(ARGV[at], due, time) and room
		at = at + 1
	end
	return room, at
end
