package redisstore

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestFirstUse: a connection counts when it is first read from, and not when it
// is dialled. Until then the client may go on with the old one.
func TestFirstUse(t *testing.T) {
	tests := []struct {
		name string
		sent string
		want uint64
	}{
		{"set-up", "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", 0},
		{"role", "*1\r\n$4\r\nROLE\r\n", 0},
		{"lookup", "*3\r\n$4\r\nMGET\r\n$1\r\nk\r\n$11\r\nfreshet#ctl\r\n", 1},
		{"script", "*3\r\n$7\r\nEVALSHA\r\n$1\r\nx\r\n$1\r\n0\r\n", 1},
		{"script by source", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$1\r\n0\r\n", 1},
		{"behind others", "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nMGET\r\n$1\r\nk\r\n", 1},
		{"long", strings.Repeat("x", 5000), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uses := new(atomic.Uint64)
			c := &countedConn{Conn: sink{}, uses: uses}
			for range 2 {
				if n, err := c.Write([]byte(tt.sent)); n != len(tt.sent) || err != nil {
					t.Fatal(n, err)
				}
			}
			if got := uses.Load(); got != tt.want {
				t.Errorf("%d uses, want %d", got, tt.want)
			}
		})
	}
}

// sink is a connection that takes everything.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// TestUseMeanwhile: a lookup that meets a connection's first use, before or after
// its own answer, begins again; and a sync learns nothing.
func TestUseMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	s := openHere(t, server)
	stampOf(t, s, "k")
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	p, rounds := s.layout.parts[0], 0
	err = s.vouched(t.Context(), client, p, func() error {
		if rounds++; rounds <= 3 {
			s.layout.uses.Add(1)
		}
		return nil
	})
	if rounds != 4 || err != nil || p.vouchedFor.Load() != s.layout.uses.Load() {
		t.Errorf("%d rounds, %v", rounds, err)
	}
	s.layout.uses.Add(1)
	before := p.known.Load()
	if err := p.repair(t.Context(), client); !errors.Is(err, errUnvouched) || p.known.Load() != before {
		t.Errorf("a sync with a server that nobody has asked: %v", err)
	}
	failing := errors.New("broken")
	if err := s.vouched(t.Context(), client, p, func() error { return failing }); !errors.Is(err, failing) {
		t.Errorf("the error of the call is %v", err)
	}
	drop(t, s, freshet.Tag("t"))
	stampOf(t, s, "k")
}
