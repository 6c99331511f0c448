package auth

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestOwnerIsNotLockedOut has many networks guess one password: together they are
// slowed down, and its owner comes in all the same from where he came in before,
// also after the process was started again (TRU1).
func TestOwnerIsNotLockedOut(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, clock *time.Time, ws int64) {
		ctx := t.Context()
		key := func(string) []byte { return bytes.Repeat([]byte{7}, 32) }
		start := func() *Auth {
			a, err := New(ctx, db, slog.New(slog.DiscardHandler), key)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		home, office := netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("192.0.2.1")
		a := start()
		p, err := db.CreatePrincipal(ctx, store.System(ws), store.NewPrincipal{Login: "ann", All: sinew.RoleAdmin})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.ResetPassword(ctx, store.System(ws), p.Pseudonym, pass); err != nil {
			t.Fatal(err)
		}
		for _, from := range []netip.Addr{home, office} {
			if _, err := a.SignIn(ctx, ws, from, "ann", pass); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.CreateSession(ctx, p.Reader(ws), store.NewSession{Hash: [32]byte{1}, Address: home.String()}); err != nil {
			t.Fatal(err)
		}
		flood := func(a *Auth) (guesses int) {
			for i := range 30 {
				from := netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", i+1))
				for range 5 {
					if _, err := a.SignIn(ctx, ws, from, "ann", "guess"); sinew.CodeOf(err) != sinew.CodeUnavailable {
						guesses++
					}
				}
			}
			return guesses
		}
		// The owner's two sign-ins took from the same bucket.
		if n := flood(a); n != guessBurst-2 {
			t.Errorf("many networks may guess %d times, want %d", n, guessBurst-2)
		}
		for _, from := range []netip.Addr{home, office} {
			if _, err := a.SignIn(ctx, ws, from, "ANN", pass); err != nil {
				t.Errorf("the owner is locked out at %s: %v", from, err)
			}
		}
		_, err = a.SignIn(ctx, ws, netip.MustParseAddr("203.0.113.1"), "ann", pass)
		wantCode(t, err, sinew.CodeUnavailable, "from where nobody came in before")
		*clock = clock.Add(guessEvery)
		if _, err := a.SignIn(ctx, ws, netip.MustParseAddr("203.0.113.1"), "ann", pass); err != nil {
			t.Errorf("a minute later: %v", err)
		}

		a = start()
		flood(a)
		if _, err := a.SignIn(ctx, ws, netip.MustParseAddr("2001:db8:1::2"), "ann", pass); err != nil { // of home's /64
			t.Errorf("after a restart the owner is locked out where a session of his is: %v", err)
		}
		_, err = a.SignIn(ctx, ws, netip.MustParseAddr("203.0.113.2"), "ann", pass)
		wantCode(t, err, sinew.CodeUnavailable, "from where nobody came in before, after a restart")
	})
}

// TestRecent: what was not used for longest is forgotten.
func TestRecent(t *testing.T) {
	r := newRecent(2)
	r.add("a")
	r.add("b")
	if !r.has("a") {
		t.Error("a is forgotten")
	}
	r.add("c")
	if r.has("b") || !r.has("a") || !r.has("c") || r.order.Len() != 2 || len(r.names) != 2 {
		t.Errorf("%d names are remembered, and not the newest", r.order.Len())
	}
}
