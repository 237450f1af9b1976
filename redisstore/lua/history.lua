-- Returns the control record and what tb has learnt since a version.
-- ARGV[5..6]: the incarnation and version known.
--
-- Both come from one script, because a trim between two commands could drop a
-- ban that the first has not seen yet without its floor being seen either.
local since = '-inf'
if c.inc == ARGV[5] then since = '(' .. ARGV[6] end
local bans = redis.call('ZRANGE', TB, since, '+inf', 'BYSCORE', 'WITHSCORES')
-- Servers differ in how they print a round number: 1.7e+15 is no version.
for i = 2, #bans, 2 do
	if string.sub(bans[i], -3) ~= 'inf' then bans[i] = whole(tonumber(bans[i])) end
end
return {format_control(c), bans}
