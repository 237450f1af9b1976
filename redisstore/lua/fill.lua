-- Stores an entry unless its stamp is too old. KEYS[5] is the entry, KEYS[6] the
-- marker of the key's variants where the entry is one.
-- ARGV: incarnation and version of the stamp; the key's member in kb; the entry;
-- its TTL in ms; for a variant a name for a new generation, and the most
-- variants there may be.
local inc, version, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
local entry, marker, value = KEYS[5], KEYS[6], ARGV[4]

local c = load_control()
if not c or c.inc ~= inc then return 'expired' end
if not intact(c) then return 'lost' end
if version < c.key_floor or version < c.ban_floor then return 'expired' end
for _, banned in ipairs({ARGV[3], '~' .. ARGV[3]}) do
	banned = redis.call('ZSCORE', KB, banned)
	if banned and tonumber(banned) > version then return 'fenced' end
end

-- The fixed part of an envelope: group at 8, incarnation at 16, version at 24.
local old = call('GETRANGE', entry, 0, 31)
local ours = old and #old == 32 and string.sub(old, 1, 4) == string.sub(value, 1, 4)
	and string.sub(old, 17, 24) == string.sub(value, 17, 24)

if marker then
	-- A variant counts only with the generation of the marker, so that removing
	-- the marker removes them all.
	local group, count = string.match(call('GET', marker) or '', '^(%x+):(%d+)$')
	if not group or #group ~= 16 then group, count = ARGV[6], 0 end
	count = tonumber(count)
	local bytes = string.gsub(group, '%x%x', function(h) return string.char(tonumber(h, 16)) end)
	ours = ours and string.sub(old, 9, 16) == bytes
	if not ours then
		if count >= tonumber(ARGV[7]) then return 'crowded' end
		count = count + 1
	end
	value = string.sub(value, 1, 8) .. bytes .. string.sub(value, 17)
	if ours and struct.unpack('>I8', old, 25) > version then return 'newer' end
	local life = math.max(ttl, redis.call('PTTL', marker))
	redis.call('SET', marker, group .. ':' .. count, 'PX', life)
elseif ours and struct.unpack('>I8', old, 25) > version then
	return 'newer'
end

redis.call('SET', entry, value, 'PX', ttl)
if ttl > c.horizon then
	c.horizon = ttl
	save_control(c)
end
outlive(c, ttl)
return 'stored'
