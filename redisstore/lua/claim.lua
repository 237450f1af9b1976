-- Returns members of wi that are due. For a while nobody else is told of them, and
-- after it somebody is, should the caller not have carried them out.
-- ARGV, after those of ensure: how many; the while in us.
ensure()
local time = now()
local due = redis.call('ZRANGE', WI, '-inf', whole(time), 'BYSCORE', 'LIMIT', 0, ARGV[3])
for _, member in ipairs(due) do
	redis.call('ZADD', WI, whole(time + ARGV[4]), member)
end
return due
