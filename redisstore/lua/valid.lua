-- Returns the control record and the last ban of a key, for a load of an
-- incarnation: nothing when that, or its history of keys, is gone.
-- ARGV: incarnation of the load; the key's member in kb.
local c = load_control()
if not c or c.inc ~= ARGV[1] or not intact(c) then return false end
return {format_control(c), whole(tonumber(redis.call('ZSCORE', KB, ARGV[2]) or 0))}
