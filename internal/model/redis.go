package model

// The scripts of redisstore, each one step.

// intact is that of control.lua.
func (m *model) intact(r *redis) bool {
	if !m.has(Sentinel) {
		return true // what is lost counts as empty
	}
	c := r.control.incarnation
	return r.tagBans.incarnation == c && r.keyBans.incarnation == c && (!m.Intents && !m.Lag || r.intents.incarnation == c)
}

// ensure begins a new life where something of the old one is lost or, with
// fenced, where the server is another. Versions begin anew, which makes stamps of
// the old life look good: only their incarnation tells.
func (m *model) ensure(s *state, fenced bool) {
	r := &s.redis
	moved := fenced && m.has(ServerFence) && r.control.server != s.life
	if r.control.incarnation != 0 && m.intact(r) && !moved {
		return
	}
	s.incarnations++
	i := s.incarnations
	r.control = control{incarnation: i, version: max(1, s.time), server: s.life}
	r.tagBans.incarnation, r.tagBans.tag, r.tagBans.all, r.tagBans.fenced = i, 0, 0, 0
	r.keyBans.incarnation, r.keyBans.key = i, [maxKeys]uint8{}
	// What is on record stays there; what was may be lost.
	r.intents.incarnation = i
	if m.Intents && m.has(ClearOnLoss) {
		r.intents.clear = kept
	}
	if m.Lag && m.has(FutureBan) && m.has(FenceOnLoss) {
		// In place of the fences that may be lost.
		r.tagBans.all = r.control.version + fence
		m.fenceFrom(s, r.control.version)
	}
}

// fenceFrom makes the version follow time until a fence from version v is over.
func (m *model) fenceFrom(s *state, v uint8) {
	in := &s.redis.intents
	in.fence, in.end, in.commit = kept, v+fence, s.data
}

// invalidate bans the targets of actor i. A ban with a fence has a version that is
// still to come: what is loaded before that is not stored, nor served.
func (m *model) invalidate(s *state, i int, fenced bool) {
	m.ensure(s, false)
	r := &s.redis
	v := max(r.control.version+1, s.time)
	r.control.version = v
	until := v
	if fenced && m.has(FutureBan) {
		until = v + fence
	}
	if a := m.Actors[i]; a.Role == KeyWriter {
		r.keyBans.key[a.Key] = max(r.keyBans.key[a.Key], until)
		r.entry[a.Key] = entry{}
	} else {
		r.tagBans.tag = max(r.tagBans.tag, until)
		r.control.ban = v
	}
	if !fenced {
		return
	}
	m.fenceFrom(s, v)
	if !m.has(FutureBan) {
		r.tagBans.fenced, r.control.ban = v, v
	}
}

// clear bans everything.
func (m *model) clear(s *state) {
	m.ensure(s, false)
	c := &s.redis.control
	c.version = max(c.version+1, s.time)
	c.ban = c.version
	s.redis.tagBans.all = c.version
}

// sync is that of partition.go together with its script: the replica of p learns
// what it lacks. seen is a version whose bans the record of a look-up speaks of.
func (m *model) sync(s *state, p *process, seen uint8) {
	m.ensure(s, false)
	r := &s.redis
	if p.incarnation != r.control.incarnation {
		p.incarnation, p.synced, p.tag, p.all, p.fenced, seen = r.control.incarnation, 0, 0, 0, 0, 0
	}
	if r.tagBans.tag > p.synced {
		p.tag = max(p.tag, r.tagBans.tag)
	}
	if r.tagBans.all > p.synced {
		p.all = max(p.all, r.tagBans.all)
	}
	if r.tagBans.fenced > p.synced {
		p.fenced = max(p.fenced, r.intents.commit)
	}
	p.floor = r.control.banFloor
	p.synced = max(p.synced, r.control.ban, seen)
}

// banned reports whether the replica covers what was loaded under stamp.
func (m *model) banned(p *process, stamp uint8) bool {
	return m.has(TagBan) && (p.tag > stamp || p.all > stamp) || stamp < p.floor
}

// store is fill.lua, with what Fill checks before it.
func (m *model) store(s *state, p *process, k int, e entry) {
	r := &s.redis
	if p.fenced != 0 || p.incarnation == e.incarnation && m.banned(p, e.stamp) {
		return
	}
	c := r.control
	if c.incarnation == 0 || c.incarnation != e.incarnation {
		return
	}
	if !m.intact(r) {
		m.sync(s, p, 0) // repair
		return
	}
	if e.stamp < c.keyFloor || e.stamp < c.banFloor {
		return
	}
	if m.has(KeyBan) && r.keyBans.key[k] > e.stamp {
		return
	}
	if old := r.entry[k]; old.incarnation == e.incarnation && old.stamp > e.stamp {
		return
	}
	r.entry[k] = e
}

// valid is that of invalidate.go: may what was loaded under a flight's stamp still
// be answered?
func (m *model) valid(s *state, p *process, k int, f flight) bool {
	c := s.redis.control
	if c.incarnation != f.incarnation || !m.intact(&s.redis) {
		return false
	}
	if p.incarnation != c.incarnation || p.synced < c.ban {
		m.sync(s, p, c.ban)
	}
	return f.stamp >= c.keyFloor && s.redis.keyBans.key[k] <= f.stamp && !m.banned(p, f.stamp)
}

// trimKeys and trimTags drop bans and raise the floor to them.
func (m *model) trimKeys(r *redis, k int) {
	if m.has(KeyFloor) {
		r.control.keyFloor = max(r.control.keyFloor, r.keyBans.key[k])
	}
	r.keyBans.key[k] = 0
}

func (m *model) trimTags(r *redis) {
	if m.has(TagFloor) {
		r.control.banFloor = max(r.control.banFloor, r.tagBans.tag, r.tagBans.all)
	}
	r.tagBans.tag, r.tagBans.all = 0, 0
}
