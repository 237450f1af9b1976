package model

// connect makes p talk to the server that answers. A new connection is counted
// before its first command is sent, so before any answer of it.
func connect(s *state, p *process) { p.connection = s.life }

// readerSteps are those of a GET: redisstore's Lookup, a load, and Fill.
func (m *model) readerSteps(s *state, i int, emit func(step, state)) {
	a := &s.actor[i]
	switch a.phase {
	case idle, again:
		if a.phase == again || a.left > 0 {
			m.look(*s, i, emit)
		}
	case syncing:
		m.catchUp(*s, i, emit)
	case vouching:
		m.vouch(*s, i, emit)
	case loaded:
		m.fill(*s, i, emit)
	}
}

// look is the MGET, and the decision where the replica knows enough for it. That
// can be taken later, too, but only to the effect that there is a miss.
func (m *model) look(s state, i int, emit func(step, state)) {
	a, p := &s.actor[i], &s.process[m.Actors[i].Process]
	if a.phase == idle {
		a.oldest = s.due[m.Actors[i].Key]
		a.left--
	}
	a.use, a.wasUse = p.vouched, p.connection == p.vouched
	connect(&s, p)
	c := s.redis.control
	a.entry, a.incarnation, a.ban = s.redis.entry[m.Actors[i].Key], c.incarnation, c.ban
	if c.incarnation == 0 || p.incarnation != c.incarnation || p.synced < c.ban {
		a.phase = syncing
		emit(step{does: reads, who: i}, s)
		return
	}
	m.decide(s, i, emit)
}

// vouchedFor reports whether what actor a has read may be used.
func (m *model) vouchedFor(a *actor, p *process) bool {
	if !m.has(CountAfter) {
		return a.wasUse
	}
	return p.connection == a.use
}

// catchUp is the delta of the bans.
func (m *model) catchUp(s state, i int, emit func(step, state)) {
	a, p := &s.actor[i], &s.process[m.Actors[i].Process]
	connect(&s, p)
	if !m.vouchedFor(a, p) {
		// The script has run, but nothing is learnt from its answer.
		m.ensure(&s, false)
		a.phase = vouching
		emit(step{does: learnsNothing, who: i}, s)
		return
	}
	seen := a.ban
	if a.incarnation != p.incarnation {
		seen = 0
	}
	m.sync(&s, p, seen)
	m.decide(s, i, emit)
}

// decide judges the entry that was read by the replica. Any look-up may miss: the
// entry may have expired.
func (m *model) decide(s state, i int, emit func(step, state)) {
	a, p := &s.actor[i], &s.process[m.Actors[i].Process]
	if !m.vouchedFor(a, p) {
		a.phase = vouching
		emit(step{does: doubts, who: i}, s)
		return
	}
	// A record that has been synchronised is newer than the one read first: its
	// incarnation and version are those of the stamp.
	e, c := a.entry, s.redis.control
	if e.incarnation != 0 && (e.incarnation == c.incarnation || !m.has(Incarnation)) && !m.banned(p, e.stamp) {
		hit := s
		m.answer(&hit, i, e.data)
		emit(step{does: hits, who: i, data: e.data}, hit)
	}
	m.miss(s, i, emit)
}

// miss joins a flight or begins a load.
func (m *model) miss(s state, i int, emit func(step, state)) {
	a, p, k := &s.actor[i], &s.process[m.Actors[i].Process], m.Actors[i].Key
	c := s.redis.control
	if f := p.flight; f.leader != 0 {
		reaches := f.incarnation == c.incarnation && f.stamp >= c.version
		if !m.has(FlightRule) || reaches || m.valid(&s, p, k, f) {
			m.answer(&s, i, f.data)
			emit(step{does: shares, who: i, data: f.data}, s)
			return
		}
	}
	read := s.data
	if m.Lag {
		read = s.seen
	}
	*a = actor{phase: loaded, left: a.left, incarnation: c.incarnation, stamp: c.version, data: read}
	if m.Flights {
		p.flight = flight{uint8(i + 1), a.incarnation, a.stamp, a.data}
	}
	emit(step{does: loads, who: i, data: read, version: a.stamp}, s)
}

// answer ends a request with data that it did not load itself.
func (m *model) answer(s *state, i int, data uint8) {
	s.stale = s.stale || data < s.actor[i].oldest
	s.actor[i] = actor{left: s.actor[i].left}
}

// vouch asks the server who it is, and looks again.
func (m *model) vouch(s state, i int, emit func(step, state)) {
	a := &s.actor[i]
	m.ask(&s, &s.process[m.Actors[i].Process])
	*a = actor{phase: again, left: a.left, oldest: a.oldest}
	emit(step{does: vouches, who: i}, s)
}

// ask begins a new life on another server. The connection is read first: one that
// comes into use later is asked again.
func (m *model) ask(s *state, p *process) {
	use := p.connection
	connect(s, p)
	if s.redis.control.incarnation != 0 && s.redis.control.server != s.life {
		m.ensure(s, true)
	}
	p.vouched = use
}

// fill stores what was loaded and lands the flight.
func (m *model) fill(s state, i int, emit func(step, state)) {
	a, p := &s.actor[i], &s.process[m.Actors[i].Process]
	connect(&s, p)
	e := entry{a.incarnation, a.stamp, a.data}
	if !m.has(StampAtLoad) {
		e.incarnation, e.stamp = s.redis.control.incarnation, s.redis.control.version
	}
	k := m.Actors[i].Key
	m.store(&s, p, k, e)
	if p.flight.leader == uint8(i+1) {
		p.flight = flight{}
	}
	did := step{does: isRefused, who: i, data: e.data}
	if s.redis.entry[k] == e {
		did.does = fills
	}
	*a = actor{left: a.left}
	emit(did, s)
}
