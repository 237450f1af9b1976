package freshet

import "time"

// EventKind says what an [Event] reports.
type EventKind uint8

// The kinds of event.
const (
	EventHit        EventKind = iota // answered from the store, or from a load shared with another request
	EventMiss                        // loaded; Reason says why
	EventBypass                      // passed to the handler without looking; Reason says why
	EventFill                        // a load has ended; Reason is the outcome, "revalidated" if a 304 was, or why the answer is not stored
	EventInvalidate                  // Targets have been invalidated, or Err says that they are being retried
	EventStore                       // the store has failed (Err) or works again
	EventAudit                       // a hit has been audited, in background; Reason is the verdict
	EventStale                       // answered from a stale entry; Reason says why that was allowed
	EventRefresh                     // an answer is loaded again behind the back of a request that has been answered
	eventKinds                       // not a kind
)

var eventNames = [eventKinds]string{"hit", "miss", "bypass", "fill", "invalidate", "store", "audit", "stale", "refresh"}

// String returns the kind in lower case.
func (k EventKind) String() string { return eventNames[k] }

// Event is one thing that a cache has done, for metrics and traces. Key and
// Targets hold values of requests: they are no metric labels.
type Event struct {
	Kind    EventKind
	Rule    string // the rule's name; empty for Load and Invalidate
	Key     string
	Reason  string
	Targets []Target
	Elapsed time.Duration // of the look-up, load or call to the store
	Err     error
}

func (c *Cache) observe(e Event) {
	if c.options.Observe != nil {
		c.options.Observe(e)
	}
}
