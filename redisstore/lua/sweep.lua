-- Removes entries that have not been replaced since they were judged. KEYS[5..]
-- are the entries, each followed by the marker of its key's variants or, where it
-- is none, by itself again. ARGV the incarnation and version of each, in 16 bytes.

-- leave takes a variant off the number in its marker: what is filled again after
-- it was removed would count twice otherwise, until the key is taken for full.
local function leave(marker, bytes)
	local group, count = string.match(call('GET', marker) or '', '^(%x+):(%d+)$')
	local own = string.gsub(bytes, '.', function(c) return string.format('%02x', string.byte(c)) end)
	if group == own then
		redis.call('SET', marker, group .. ':' .. math.max(0, count - 1), 'KEEPTTL')
	end
end

local n = 0
for i = 5, #KEYS, 2 do
	local head = call('GETRANGE', KEYS[i], 8, 31) -- group, incarnation, version
	if head and string.sub(head, 9) == ARGV[(i - 3) / 2] then
		n = n + redis.call('UNLINK', KEYS[i])
		if KEYS[i + 1] ~= KEYS[i] then leave(KEYS[i + 1], string.sub(head, 1, 8)) end
	end
end
return n
