-- Returns members of wi that are due. For a while nobody else is told of them, and
-- after it somebody is, should the caller not have carried them out. While there is
-- a fence the version follows the clock, so that loads get stamps from behind it.
-- ARGV, after those of ensure: how many; the while in us.
local c = ensure()
local time = now()
if c.version < c.fenced and c.version < time then
	c.version = time
	save_control(c)
end
local due = redis.call('ZRANGE', WI, '-inf', whole(time), 'BYSCORE', 'LIMIT', 0, ARGV[5])
for _, member in ipairs(due) do
	redis.call('ZADD', WI, whole(time + ARGV[6]), member)
end
return due
