package freshet

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/memo"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// load runs the handler for a visit, which leads a flight or is alone.
type load struct {
	*visit
	single   bool // nobody shares it: the handler is asked what the client asks
	unshared bool // because another's answer could not be shared

	from    Found  // what it begins with: the stamp, and a stale entry to ask about
	land    func() // tells those who wait that they need not
	control *Control
	began   time.Time
	asked   bool // the handler has been asked whether from.Entry still holds

	out    *capture.Writer
	entry  *Entry // the answer, if it is not out: from.Entry, freshened
	made   *Entry // the answer, if it is to be shared
	at     query  // its place
	failed bool   // the handler has, and out is no answer if there is a stale one
	fate   string // what became of the answer, for Cache-Status
}

// run is the loader of a route: it runs the handler into a capture and stores
// what may be stored.
func (l *load) run(ctx context.Context, found Found, land func()) *Entry {
	if l.leads != nil {
		l.leads()
	}
	if e := found.Entry; e != nil && e.Status == 0 {
		found.Entry = nil // a marker, put there meanwhile
	}
	l.from, l.land = found, land
	ctx, l.control = withControl(ctx)
	// A read that finds something to invalidate is taken at its word.
	defer func() { _ = l.route.drop(ctx, l.control.added()) }()
	return l.try(ctx)
}

// try runs the handler once.
func (l *load) try(ctx context.Context) (e *Entry) {
	l.out = capture.New(l.w, l.route.plan.MaxBody, func() {
		if l.fate == "" {
			// The answer goes straight through: nobody should wait for a share.
			l.unfit("streamed")
		}
		l.mark()
	})
	l.out.Judge = l.judge
	r := l.ask(ctx)
	l.began = time.Now()
	if l.failed = !l.handle(r); l.failed {
		l.fate = "panic"
	} else {
		l.out.Settle()
		l.failed = l.out.Status >= http.StatusInternalServerError
	}
	if l.found.Entry != nil {
		l.fails(l.failed)
	}
	switch {
	case l.out.Dropped():
		return l.freshen(ctx)
	case l.fate == "" && !l.out.Passing():
		e = l.make(ctx)
	}
	if e == nil {
		l.event(EventFill, l.fate, nil)
	}
	return e
}

// ask returns the request that the handler gets. Its header is its own: what the
// handler does to it must not change what the answer is taken for.
func (l *load) ask(ctx context.Context) *http.Request {
	r := l.r.WithContext(ctx)
	r.Header = r.Header.Clone()
	if r.GetBody != nil {
		r.Body, _ = r.GetBody() // what has been held has no error
	}
	if l.single {
		return r
	}
	// The whole answer is wanted, to be stored: what the client has of it already,
	// and what part of it it wants, is judged on that.
	rfc9111.Whole(r.Header)
	if l.route.codes() {
		r.Header["Accept-Encoding"] = []string{"identity"}
	}
	if l.from.Entry != nil {
		a := l.from.Entry.answer()
		etag, modified := a.Validators()
		for name, value := range map[string]string{"If-None-Match": etag, "If-Modified-Since": modified} {
			if value != "" {
				r.Header[name], l.asked = []string{value}, true
			}
		}
	}
	return r
}

// handle runs the handler, and reports whether that has returned. Where there is
// something stale to serve in place of an answer, a panic ends here.
func (l *load) handle(r *http.Request) (returned bool) {
	defer func() {
		if l.use.OnError && !l.out.Passing() {
			l.route.cache.logPanic(recover())
		}
	}()
	l.route.next.ServeHTTP(l.out, r)
	return true
}

// judge is called once the status and the header of the answer are known. What
// cannot be stored need not be held back.
func (l *load) judge() {
	l.control.Tag(resolve.TagGroups(l.prefix, rfc9111.Groups(l.out.Sent["Cache-Groups"]))...)
	switch status := l.out.Status; {
	case l.asked && status == http.StatusNotModified:
		l.out.Discard()
	case status >= http.StatusInternalServerError && l.use.OnError:
		// Something stale may have to take its place.
	case l.r.Method == http.MethodHead:
		l.head()
		l.fate = "head"
		l.out.Stream(l.r)
	default:
		if s := l.storage(status, l.out.Own()); s.Why != "" {
			l.unfit(s.Why)
			l.out.Stream(l.r)
		}
	}
}

// storage says whether and for how long an answer may be kept. What the handler has
// said itself goes before its header.
func (l *load) storage(status int, h http.Header) rfc9111.Storage {
	policy := l.route.plan.policy
	if ttl := l.control.lifetime(); ttl > 0 {
		policy.Lifetime, policy.TTL, policy.Jitter = rfc9111.ByRule, ttl, 0
		if policy.ErrorTTL > 0 {
			policy.ErrorTTL = ttl
		}
	}
	if l.piece(status, h) {
		status = http.StatusOK // whose rules are those of its parts (RFC 9111, section 3.3)
	}
	s := policy.Storage(l.r, status, h, l.began, time.Now())
	switch {
	case s.Why != "":
	case l.control.refuses():
		s.Why = "no-store"
	case l.home.Credentialed && !s.Shareable:
		s.Why = credentials
	}
	return s
}

// unfit notes that the answer cannot be stored, and why.
func (l *load) unfit(why string) {
	l.fate = why
	if l.found.Entry != nil && !l.home.Credentialed && takesBack(l.out.Status, why) {
		ctx, c := context.WithoutCancel(l.r.Context()), l.route.cache
		c.bury(ctx, &l.query, l.from.Stamp)
		c.outdate(ctx, &l.query)
	}
	l.land()
	if !l.single && l.out.Status < http.StatusInternalServerError {
		l.route.cache.memo.Note(l.identity, memo.Uncacheable, unfitPause)
	}
}

// takesBack reports whether an answer that is not stored, for the reason why, stands in
// the place of what has been stored before, or says that it is gone. An error does
// neither.
func takesBack(status int, why string) bool {
	switch why {
	case "no-store", "private", "set-cookie", "vary", "lifetime", "stale", "streamed", "trailer":
		return status < 400 || gone(status)
	}
	return gone(status)
}

func gone(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

// make stores a captured answer, and returns its entry, nil if it may not be shared.
func (l *load) make(ctx context.Context) *Entry {
	s, now := l.storage(l.out.Status, l.out.Own()), time.Now()
	if why := cmp.Or(s.Why, l.out.Unfit()); why != "" {
		l.unfit(why)
		return nil
	}
	l.out.Complete(now)
	e := &Entry{Loaded: now, Status: l.out.Status, Header: l.out.Fields(), Body: string(l.out.Body)}
	if e.Status == http.StatusPartialContent && !l.assemble(e) {
		l.unfit("part")
		return nil
	}
	return l.keep(ctx, s, e, "stored")
}

// freshen stores the entry that the handler has said still holds, with what its 304
// says of it (RFC 9111, section 4.3.4). It was asked under l.from.Stamp, so that is
// what the entry is now known to be good for.
func (l *load) freshen(ctx context.Context) *Entry {
	old, update, now := l.from.Entry, l.out.Fields(), time.Now()
	if !rfc9111.Selects(old.Header, update) {
		// It speaks of another answer, which is not here.
		l.from.Entry, l.asked = nil, false
		return l.try(ctx)
	}
	l.entry = &Entry{
		Loaded: now, Tags: old.Tags, Status: old.Status, Header: rfc9111.Freshen(old.Header, update, now), Body: old.Body,
	}
	s := l.storage(old.Status, rfc9111.Header(l.entry.Header))
	l.entry.Fresh, l.entry.Age = s.Fresh, s.Age
	if s.Why != "" {
		l.unfit(s.Why)
		l.event(EventFill, l.fate, nil)
		return nil
	}
	return l.keep(ctx, s, l.entry, "revalidated")
}

// head applies the answer to a HEAD request to what is stored of the resource (RFC
// 9111, section 4.3.5). One without a validator agrees with anything that is stored: it
// shows nothing, and above all not that a soft invalidation can be forgotten.
func (l *load) head() {
	e, update, c := l.from.Entry, l.out.Fields(), l.route.cache
	if e == nil || l.out.Status != e.Status {
		return
	}
	ctx := l.r.Context()
	switch {
	case !rfc9111.HeadFreshens(e.Header, update):
		old := *e // is stale; an invalidation would leave more behind than that
		old.Fresh, old.TTL = 0, max(e.TTL-time.Since(e.Loaded), time.Millisecond)
		_, _ = c.guard.fill(ctx, l.Ref, l.from.Stamp, &old)
		c.outdate(ctx, &l.query)
	case rfc9111.Lines(update, "Etag") != nil || rfc9111.Lines(update, "Last-Modified") != nil:
		l.freshen(ctx)
	}
}

// keep stores e, the answer, under the stamp from before its load; as is what to call
// that.
func (l *load) keep(ctx context.Context, s rfc9111.Storage, e *Entry, as string) *Entry {
	unseen := ""
	if !l.single {
		unseen = l.route.unseen(e)
	}
	q, ok := l.route.plan.varied(l.query, rfc9111.Lines(e.Header, "Vary"), l.r, unseen)
	if !ok {
		l.unfit("vary")
		l.event(EventFill, l.fate, nil)
		return nil
	}
	if e.Status == http.StatusPartialContent {
		q = q.pieces()
	}
	e.Identity, e.Stamp, e.Took = q.identity, l.from.Stamp, e.Loaded.Sub(l.began)
	e.TTL, e.Fresh, e.Age = max(s.Keep, time.Millisecond), s.Fresh, s.Age
	e.Tags = l.control.allTags(slices.Concat(l.tags, e.Tags))
	l.fate = l.route.cache.keep(ctx, l.route.plan.Name, &q, e, as)
	if old := l.from.Entry; old != nil && old.left(e.Loaded) > 0 {
		l.route.cache.outdate(context.WithoutCancel(ctx), &l.query)
	}
	l.made, l.at = e, q
	return e
}

// finish answers the request that the load was run for.
func (l *load) finish() {
	switch {
	case l.failed && l.use.OnError && !l.out.Passing() && l.stands():
		l.out.Discard()
		status := rfc9111.Status{Forward: "stale", ForwardStatus: l.out.Status, Detail: []string{"error"}}
		l.stale("error", &status)
	case l.failed && l.fate == "panic":
		panic(http.ErrAbortHandler) // it has been logged
	case l.entry != nil && l.r.Method != http.MethodHead:
		status, e := l.status(), l.entry
		status.ForwardStatus = http.StatusNotModified
		if l.made != nil { // or it has no place, and so no forms
			e = l.route.form(l.r, &l.at, e)
		}
		a := e.answer()
		a.Serve(l.w, l.r, &status, time.Now())
	case l.made != nil && l.made.Status == l.out.Status && !l.out.Passing():
		if f := l.route.form(l.r, &l.at, l.made); f != l.made {
			l.out.Recode(f.Header, f.Body)
		}
		fallthrough
	default:
		l.out.FinishFor(l.r)
	}
}

// status says what became of the load.
func (l *load) status() rfc9111.Status {
	status := l.forwarded()
	status.Stored = l.fate == Stored.String()
	if l.found.Reason != Absent {
		status.Detail = append(status.Detail, l.found.Reason.String())
	}
	if l.unshared {
		status.Detail = append(status.Detail, "unshared")
	}
	if !status.Stored && l.fate != l.bypass && !slices.Contains(status.Detail, l.fate) {
		status.Detail = append(status.Detail, l.fate)
	}
	return status
}

// mark adds it to the header that is about to be sent.
func (l *load) mark() {
	if l.out.Sent != nil { // not hijacked: there is a header
		status := l.status()
		l.out.Sent.Add("Cache-Status", status.String())
	}
}
