-- Returns the control record and the last ban of a key, or the end of a fence over it
-- if that has come, for a load of an incarnation: nothing when that, or its history of
-- keys, is gone.
-- ARGV: incarnation of the load; the key's member in kb.
local c = load_control()
if not c or c.inc ~= ARGV[1] or not intact(c) then return false end
local banned = tonumber(redis.call('ZSCORE', KB, ARGV[2]) or 0)
local fence = tonumber(redis.call('ZSCORE', KB, '~' .. ARGV[2]) or 0)
if fence <= c.version then banned = math.max(banned, fence) end
return {format_control(c), whole(banned)}
