package traffic

import (
	"context"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
)

// Settle reads every view through every process until all of them show what is
// in the database, and returns how long that took. When limit has passed, what
// they still do not show is lost. Nobody else may change anything meanwhile.
func (t *Traffic) Settle(ctx context.Context, db *api.DB, limit time.Duration) (time.Duration, error) {
	rows, err := db.All(ctx)
	if err != nil {
		return 0, err
	}
	start, want := time.Now(), versions(rows)
	for ctx.Err() == nil {
		last := time.Since(start) > limit
		behind := 0
		for _, l := range t.Fleet.Lives() {
			for _, v := range t.Layout.Views() {
				a, ok := t.Read(l, v)
				got := versions(a.Rows)
				for _, id := range v.Rows {
					if ok && got[id] == want[id] {
						continue
					}
					behind++
					if last {
						t.Report.Violation("lost", "GET %s through %s: row %d: version %d, the database has %d; rows read at %s by %s",
							v.Path, l.Name, id, got[id], want[id], time.UnixMicro(a.Read).Format(clock), a.Maker)
					}
				}
			}
		}
		if behind == 0 || last {
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return time.Since(start), ctx.Err()
}
