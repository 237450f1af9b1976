-- Returns two numbers. The first is 0 when the incarnation began on another server
-- than this, 1 when it did on this one or there is none: what does not exist cannot
-- be served. The second is 0 when there is nothing for claim.lua to do.
local c = load_control()
local here, due = 1, call('ZCOUNT', WI, '-inf', whole(now())) or 0
if c and c.server ~= server() then here = 0 end
-- Partitions begin their lives together and soon, since each puts a clear of all
-- of them on record. And look-ups read ctl only: where the rest has been lost,
-- nobody else would notice while they hit.
if not c or not intact(c) or c.version < c.fenced then due = due + 1 end
return {here, due}
