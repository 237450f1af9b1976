-- Returns the name of this server, and for how many seconds it has been up.
return {server(), string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')}
