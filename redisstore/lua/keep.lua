-- Keeps a lease alive. ARGV: token; ms. Returns 0 when it is no longer held.
local h = holder()
if not h or h.token ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', lease, ARGV[2])
