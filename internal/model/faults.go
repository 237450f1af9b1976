package model

// faultSteps are what can go wrong, within the bounds of the Config.
func (m *model) faultSteps(s *state, emit func(step, state)) {
	if s.left.Losses > 0 {
		m.losses(s, emit)
	}
	if s.left.Trims > 0 {
		m.trims(s, emit)
	}
	if s.left.Restarts > 0 {
		m.restarts(s, emit)
	}
	if s.left.Failovers > 0 {
		m.failovers(s, emit)
	}
	if s.left.Deaths > 0 {
		m.deaths(s, emit)
	}
}

// losses: each of the control keys can be evicted, and everything flushed. A lost
// entry is a miss, which needs no step.
func (m *model) losses(s *state, emit func(step, state)) {
	lose := func(does deed, f func(*redis)) {
		n := *s
		f(&n.redis)
		if n.redis == s.redis {
			return
		}
		n.left.Losses--
		emit(step{does: does, who: nobody}, n)
	}
	lose(losesControl, func(r *redis) { r.control = control{} })
	lose(losesTags, func(r *redis) { r.tagBans.incarnation, r.tagBans.tag, r.tagBans.all = 0, 0, 0 })
	lose(losesKeys, func(r *redis) { r.keyBans.incarnation, r.keyBans.key = 0, [maxKeys]uint8{} })
	if m.Intents || m.Lag {
		lose(losesIntents, func(r *redis) { r.intents = redis{}.intents })
	}
	lose(losesAll, func(r *redis) { *r = redis{} })
}

func (m *model) trims(s *state, emit func(step, state)) {
	for k := range maxKeys {
		if s.redis.keyBans.key[k] != 0 && s.redis.control.incarnation != 0 {
			n := *s
			n.left.Trims--
			m.trimKeys(&n.redis, k)
			emit(step{does: trimsKeys, who: nobody}, n)
		}
	}
	if (s.redis.tagBans.tag != 0 || s.redis.tagBans.all != 0) && s.redis.control.incarnation != 0 {
		n := *s
		n.left.Trims--
		m.trimTags(&n.redis)
		emit(step{does: trimsTags, who: nobody}, n)
	}
}

// restarts forget a replica. The requests of the process go on, which is more
// than a restarted process could do.
func (m *model) restarts(s *state, emit func(step, state)) {
	for p := range s.process {
		n := *s
		n.left.Restarts--
		q := &n.process[p]
		q.incarnation, q.synced, q.floor, q.tag, q.all = 0, 0, 0, 0, 0
		emit(step{does: restarts, who: nobody, process: p}, n)
	}
}

func (m *model) failovers(s *state, emit func(step, state)) {
	if !s.hasCopy {
		n := *s
		n.hasCopy, n.copied = true, s.redis
		emit(step{does: copies, who: nobody}, n)
		return
	}
	n := *s
	n.left.Failovers--
	n.redis, n.copied, n.hasCopy = s.copied, redis{}, false
	n.lives++
	n.life = n.lives
	emit(step{does: failsOver, who: nobody}, n)
}

// deaths leave one process alive. What a dead one has sent to the database may
// still take place.
func (m *model) deaths(s *state, emit func(step, state)) {
	for p := range s.process {
		if s.process[p].dead || s.process[1-p].dead {
			continue
		}
		n := *s
		n.left.Deaths--
		n.process[p] = process{dead: true}
		for i, a := range m.Actors {
			if a.Process != p {
				continue
			}
			if n.actor[i].phase == committing {
				n.actor[i] = actor{phase: orphaned}
			} else {
				n.actor[i] = actor{}
			}
		}
		emit(step{does: dies, who: nobody, process: p}, n)
	}
}
