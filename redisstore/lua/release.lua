-- Ends a lease and tells those who wait. ARGV: token; channel; '1' when the
-- answer has been stored for all.
local h = holder()
if not h or h.token ~= ARGV[1] then return 0 end
redis.call('DEL', lease)
if h.waiting == '1' then redis.call('PUBLISH', ARGV[2], ARGV[3] .. lease) end
return 1
