-- The same of a new incarnation where history has been lost.
-- ARGV: those of ensure; then those of history.lua.
local c = ensure()
