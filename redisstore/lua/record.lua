-- Changes what is on record, and returns the time; nothing when there was no room.
-- ARGV: see records.lua.
local c = ensure()
local time = now()
local room = records(time)
outlive(c, 0)
return room and whole(time)
