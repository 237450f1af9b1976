package model

// renumber gives the versions of s the smallest numbers of the same order. Only
// the order counts, except where a fence reckons with time; and without this,
// repeated invalidations would make new states for ever.
func (m *model) renumber(s *state) {
	if m.Lag {
		return
	}
	var used [256]bool
	m.versions(s, func(v *uint8) { used[*v] = true })
	var rank [256]uint8
	for v, n := 1, uint8(1); v < len(used); v++ {
		if used[v] {
			rank[v] = n
			n++
		}
	}
	m.versions(s, func(v *uint8) { *v = rank[*v] })
}

// versions visits every version in s.
func (m *model) versions(s *state, visit func(*uint8)) {
	for _, r := range [...]*redis{&s.redis, &s.copied} {
		c := &r.control
		visit(&c.version)
		visit(&c.ban)
		visit(&c.keyFloor)
		visit(&c.banFloor)
		visit(&r.tagBans.tag)
		visit(&r.tagBans.all)
		for k := range r.entry {
			visit(&r.keyBans.key[k])
			visit(&r.entry[k].stamp)
		}
	}
	for i := range s.process {
		p := &s.process[i]
		visit(&p.synced)
		visit(&p.floor)
		visit(&p.tag)
		visit(&p.all)
		visit(&p.flight.stamp)
	}
	for i := range s.actor {
		a := &s.actor[i]
		visit(&a.entry.stamp)
		visit(&a.ban)
		visit(&a.stamp)
	}
}
