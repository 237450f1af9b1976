-- Removes entries that have not been replaced since they were judged. KEYS[5..]
-- are the entries, ARGV the incarnation and version of each, in 16 bytes.
local n = 0
for i = 5, #KEYS do
	if call('GETRANGE', KEYS[i], 16, 31) == ARGV[i - 4] then
		n = n + redis.call('UNLINK', KEYS[i])
	end
end
return n
