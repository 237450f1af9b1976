-- Returns 0 when the incarnation began on another server than this, 1 when it
-- did on this one or there is none: what does not exist cannot be served.
local c = load_control()
if c and c.server ~= server() then return 0 end
return 1
