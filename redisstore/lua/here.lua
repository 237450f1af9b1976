-- Returns two numbers. The first is 0 when the incarnation began on another server
-- than this, 1 when it did on this one or there is none: what does not exist cannot
-- be served. The second is how many records are due.
local c = load_control()
local here = 1
if c and c.server ~= server() then here = 0 end
return {here, call('ZCOUNT', WI, '-inf', whole(now())) or 0}
