package model

// writerSteps are those of a write: on record, commit, invalidate.
func (m *model) writerSteps(s *state, i int, emit func(step, state)) {
	switch a := &s.actor[i]; a.phase {
	case idle:
		if a.left > 0 {
			m.start(*s, i, emit)
		}
	case intended:
		n := *s
		n.actor[i].phase = committing
		emit(step{does: sends, who: i}, n)
	case committing, orphaned:
		m.commit(*s, i, emit)
	case committed:
		m.finish(*s, i, emit)
	}
}

// start puts the write on record. Without intents the commit is part of it.
func (m *model) start(s state, i int, emit func(step, state)) {
	s.actor[i].left--
	if !m.Intents {
		m.change(&s, i)
		s.actor[i].phase = committed
		emit(step{does: commits, who: i, data: s.data}, s)
		return
	}
	connect(&s, &s.process[m.Actors[i].Process])
	m.ensure(&s, false)
	if m.has(Intent) {
		s.redis.intents.of[i] = kept
	}
	s.actor[i].phase = intended
	emit(step{does: intends, who: i}, s)
}

// commit takes place in the database, whatever has become of the process.
func (m *model) commit(s state, i int, emit func(step, state)) {
	if s.actor[i].phase == orphaned {
		rolled := s
		rolled.actor[i] = actor{}
		emit(step{does: rollsBack, who: i}, rolled)
		m.change(&s, i)
		s.actor[i] = actor{}
	} else {
		m.change(&s, i)
		s.actor[i].phase = committed
	}
	emit(step{does: commits, who: i, data: s.data}, s)
}

func (m *model) change(s *state, i int) {
	s.data++
	if !m.Lag {
		s.seen = s.data
	}
	for k := range s.committed {
		if m.covers(i, k) {
			s.committed[k] = s.data
		}
	}
	// Which commit it was: the invalidation speaks of it.
	s.actor[i].data = s.data
}

// finish invalidates and removes the record in one step, and returns.
func (m *model) finish(s state, i int, emit func(step, state)) {
	connect(&s, &s.process[m.Actors[i].Process])
	m.invalidate(&s, i, m.Lag)
	s.redis.intents.of[i] = absent
	for k := range s.due {
		if m.covers(i, k) {
			s.due[k] = max(s.due[k], s.actor[i].data)
		}
	}
	did := step{does: invalidates, who: i, data: s.actor[i].data, version: s.redis.control.version}
	s.actor[i] = actor{left: s.actor[i].left}
	emit(did, s)
}

// recordSteps are what happens to what is on record.
func (m *model) recordSteps(s *state, emit func(step, state)) {
	for i := range m.Actors {
		m.intentSteps(s, i, emit)
	}
	in := &s.redis.intents
	if in.clear == kept && m.settledWrites(s) {
		n := *s
		n.redis.intents.clear = fallen
		emit(step{does: clearFalls, who: nobody}, n)
	}
	if in.clear == fallen {
		n := *s
		m.clear(&n)
		n.redis.intents.clear = absent
		emit(step{does: clears, who: nobody, version: n.redis.control.version}, n)
	}
	m.watch(*s, emit)
	m.settle(*s, emit)
}

func (m *model) intentSteps(s *state, i int, emit func(step, state)) {
	r, dead := s.redis.intents.of[i], s.process[m.Actors[i].Process].dead
	if r == kept && (dead || m.Slow) {
		n := *s
		n.redis.intents.of[i] = fallen
		emit(step{does: falls, who: i}, n)
	}
	if r == fallen {
		m.carryOut(*s, i, emit)
	}
	if m.has(Intent) && m.has(Restore) && r != kept && !dead && s.actor[i].phase >= intended {
		n := *s
		n.redis.intents.of[i] = kept
		emit(step{does: restores, who: i}, n)
	}
}

// carryOut invalidates on behalf of a process that seems to have died. The record
// goes when the change cannot come any more: it is repeated for ten minutes, and
// the model assumes that no commit takes longer.
func (m *model) carryOut(s state, i int, emit func(step, state)) {
	m.invalidate(&s, i, false)
	s.redis.intents.of[i] = absent
	if m.has(Repetition) && s.actor[i].phase >= intended {
		s.redis.intents.of[i] = kept
	}
	emit(step{does: carriesOut, who: i, version: s.redis.control.version}, s)
}

// settledWrites is what is assumed of the time between the beginning of a new life
// and the clear that it puts on record, which is a deadline: living processes have
// restored their records, and commits of dead ones have come.
func (m *model) settledWrites(s *state) bool {
	for i, a := range m.Actors {
		lost := s.actor[i].phase >= intended && s.redis.intents.of[i] == absent
		if lost && (s.process[a.Process].dead || m.has(Restore)) {
			return false
		}
	}
	return true
}

// watch is the question that a living process asks every second.
func (m *model) watch(s state, emit func(step, state)) {
	if !m.has(WatchIntents) {
		s.redis.intents.incarnation = s.redis.control.incarnation
	}
	before := s.redis.control.incarnation
	m.ensure(&s, true)
	if s.redis.control.incarnation != before {
		emit(step{does: renews, who: nobody}, s)
	}
}

// settle is the moment when nothing is under way and nothing on record. From then
// on everybody is owed the newest data, also of writes whose process has died.
func (m *model) settle(s state, emit func(step, state)) {
	r := &s.redis
	lost := r.control.incarnation == 0 || m.has(WatchIntents) && !m.intact(r) || m.has(ServerFence) && r.control.server != s.life
	if lost || r.intents.clear != absent || s.due == s.committed {
		return
	}
	for i := range m.Actors {
		if s.actor[i].phase >= intended || r.intents.of[i] != absent {
			return
		}
	}
	s.due = s.committed
	emit(step{does: settles, who: nobody, data: s.data}, s)
}

// fenceSteps are the lag of the database's replica, and the end of a fence: it is
// longer than the lag.
func (m *model) fenceSteps(s *state, emit func(step, state)) {
	if s.seen != s.data {
		n := *s
		n.seen = n.data
		emit(step{does: shows, who: nobody, data: n.seen}, n)
	}
	for p := range s.process {
		if f := s.process[p].fenced; f != 0 && s.seen >= f {
			n := *s
			n.process[p].fenced = 0
			emit(step{does: opens, who: nobody, process: p}, n)
		}
	}
	in := &s.redis.intents
	if in.fence == kept && s.seen >= in.commit {
		n := *s
		n.redis.intents.fence, n.time = fallen, max(n.time, in.end)
		emit(step{does: fenceEnds, who: nobody}, n)
	}
	if in.fence == fallen {
		n := *s
		n.redis.intents.fence = absent
		n.redis.control.version = max(n.redis.control.version, n.time)
		emit(step{does: follows, who: nobody, version: n.redis.control.version}, n)
	}
	m.watch(*s, emit)
}
