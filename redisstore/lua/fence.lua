-- Begins a new incarnation unless the present one began on this server. Of many
-- processes that come here after a failover only the first finds something to do.
-- ARGV: an incarnation for a new life.
ensure(ARGV[1], true)
return 1
