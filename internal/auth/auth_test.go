package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func TestPassword(t *testing.T) {
	ctx := t.Context()
	h := newHasher(1)
	stored, err := h.hash(ctx, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored as %s", stored)
	}
	if again, _ := h.hash(ctx, "correct horse battery"); again == stored {
		t.Error("two hashes of a password are equal: no salt")
	}
	salt := []byte("0123456789abcdef")
	older := fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("correct horse battery"), salt, 1, 64, 1, 32)))
	for _, tt := range []struct {
		name, stored, password string
		ok, stale, broken      bool
	}{
		{name: "right", stored: stored, password: "correct horse battery", ok: true},
		{name: "wrong", stored: stored, password: "correct horse batterz"},
		{name: "empty", stored: stored, password: ""},
		{name: "older costs", stored: older, password: "correct horse battery", ok: true, stale: true},
		{name: "nothing stored", stored: "", broken: true},
		{name: "cut off", stored: stored[:len(stored)-40], broken: true},
		{name: "costs of a bomb", stored: strings.Replace(stored, "m=19456", "m=4194304", 1), broken: true},
		{name: "other algorithm", stored: strings.Replace(stored, "argon2id", "argon2i", 1), broken: true},
	} {
		ok, stale, err := h.check(ctx, tt.stored, tt.password)
		if ok != tt.ok || stale != tt.stale || (err != nil) != tt.broken {
			t.Errorf("%s: %t, stale %t, %v", tt.name, ok, stale, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	h.slots <- struct{}{}
	if _, err := h.hash(gone, "x"); err == nil {
		t.Error("hashes although nobody waits any more")
	}
}

func TestCheckPassword(t *testing.T) {
	for _, tt := range []struct {
		login, password string
		ok              bool
	}{
		{"ann", "correct horse battery", true},
		{"ann", "elf Zeichen ß", true},
		{"ann", "too short", false},
		{"ann", "aaaaaaaaaaaaaaaaaaaa", false},
		{"ann", "abababababababababab", false},
		{"somebody.long", "Somebody.Long1", false},
		{"ann", "ann and a lot more of it", true},
		{"ann", strings.Repeat("abcdefgh", 200), false},
		{"ann", "not \xff text at all", false},
	} {
		if err := checkPassword(tt.login, tt.password); (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.password, err)
		}
	}
}

func TestSecret(t *testing.T) {
	secret, hash := newSecret(tokenPrefix)
	if !regexp.MustCompile(`^sinew_[a-z2-7]{59}$`).MatchString(secret) {
		t.Fatalf("token %s is not of the documented form", secret)
	}
	if got, ok := hashSecret(tokenPrefix, secret); !ok || got != hash {
		t.Error("a token's hash is not found again")
	}
	invite, _ := newSecret(invitePrefix)
	if !regexp.MustCompile(`^sinew_invite_[a-z2-7]{59}$`).MatchString(invite) {
		t.Errorf("invitation %s is not of the documented form", invite)
	}
	for i := range len(secret) {
		for _, c := range "a7" {
			wrong := secret[:i] + string(c) + secret[i+1:]
			if _, ok := hashSecret(tokenPrefix, wrong); ok && wrong != secret {
				t.Errorf("%s is accepted with another character at %d", secret, i)
			}
		}
	}
	for name, s := range map[string]string{
		"empty": "", "prefix": tokenPrefix, "cut": secret[:len(secret)-1], "longer": secret + "a", "an invitation": invite,
		"upper case": strings.ToUpper(secret), "space": secret + " ",
	} {
		if _, ok := hashSecret(tokenPrefix, s); ok {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(3, time.Minute, 2, time.Now)
		try := func(name string, want time.Duration) {
			t.Helper()
			if got := l.take(name); got != want {
				t.Errorf("%s waits %s, want %s", name, got, want)
			}
		}
		for range 3 {
			try("ann", 0)
		}
		try("ann", time.Minute)
		try("bob", 0)                // others may
		time.Sleep(30 * time.Second) //nolint:forbidigo // the bubble's clock
		try("ann", 30*time.Second)
		time.Sleep(30 * time.Second) //nolint:forbidigo // the bubble's clock
		try("ann", 0)                // one more
		try("ann", time.Minute)
		l.forget("ann")
		for range 3 {
			try("ann", 0)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
		for range 3 {
			try("ann", 0) // full again, and not fuller
		}
		try("ann", time.Minute)
		try("carl", 0)
		try("dora", 0) // ann was not used for longest and goes
		if len(l.names) != 2 || l.order.Len() != 2 {
			t.Errorf("remembers %d names, %d in order, want 2", len(l.names), l.order.Len())
		}
	})
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := network(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
	if got := network(netip.Addr{}); got != "unknown" {
		t.Errorf("no address counts as %s", got)
	}
}

// both runs a test on both databases (TRU1).
func both(t *testing.T, fn func(t *testing.T, db *store.DB, clock *time.Time, ws int64)) {
	for engine, dsn := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "s.db") },
		"postgres": pgtest.URL,
	} {
		t.Run(engine, func(t *testing.T) {
			clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			db, err := store.Open(t.Context(), dsn(t), store.Options{Now: func() time.Time { return clock }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			ws, err := db.CreateWorkspace(t.Context(), "default")
			if err != nil {
				t.Fatal(err)
			}
			fn(t, db, &clock, ws.ID)
		})
	}
}

const pass = "correct horse battery"

var here = netip.MustParseAddr("192.0.2.1")

// testKey is the key of every workspace in tests.
func testKey(string) []byte { return []byte("01234567890123456789012345678901") }

func wantCode(t *testing.T, err error, want sinew.Code, what string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error, want %s", what, want)
	case sinew.CodeOf(err) != want:
		t.Errorf("%s: %s (%v), want %s", what, sinew.CodeOf(err), err, want)
	}
}

func TestFromLinkToToken(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, clock *time.Time, ws int64) {
		ctx := t.Context()
		a, err := New(ctx, db, slog.New(slog.DiscardHandler), testKey)
		if err != nil {
			t.Fatal(err)
		}

		old, err := a.FirstInvite(ctx, ws)
		if err != nil || old == "" {
			t.Fatalf("first link = %q, %v", old, err)
		}
		*clock = clock.Add(InviteLife + time.Second)
		_, _, err = a.Redeem(ctx, here, old, NewUser{Login: "Ann", Password: pass})
		wantCode(t, err, sinew.CodeUnauthn, "a link of yesterday")

		link, err := a.FirstInvite(ctx, ws)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = a.Redeem(ctx, here, link, NewUser{Login: "Ann", Password: "short"})
		wantCode(t, err, sinew.CodeInvalid, "a weak password")
		_, _, err = a.Redeem(ctx, here, link, NewUser{Login: "Ann"})
		wantCode(t, err, sinew.CodeInvalid, "no password")
		ann, _, err := a.Redeem(ctx, here, link, NewUser{Login: "Ann", Password: pass, All: sinew.RoleViewer})
		if err != nil {
			t.Fatal(err)
		}
		if ann.All != sinew.RoleAdmin {
			t.Errorf("the role is %s, want the link's", ann.All)
		}
		_, _, err = a.Redeem(ctx, here, link, NewUser{Login: "Eve", Password: pass})
		wantCode(t, err, sinew.CodeUnauthn, "a link used twice")
		if again, err := a.FirstInvite(ctx, ws); again != "" || err != nil {
			t.Errorf("a second first link = %q, %v", again, err)
		}

		_, err = a.SignIn(ctx, ws, here, "ann", "wrong horse battery")
		wantCode(t, err, sinew.CodeUnauthn, "a wrong password")
		_, unknown := a.SignIn(ctx, ws, here, "nobody", pass)
		if unknown == nil || unknown.Error() != err.Error() {
			t.Errorf("an unknown login says %v, a wrong password %v", unknown, err)
		}
		_, err = a.SignIn(ctx, ws, here, "ann", strings.Repeat("x", maxPassword+1))
		wantCode(t, err, sinew.CodeUnauthn, "a huge password")
		r, err := a.SignIn(ctx, ws, here, " ANN ", pass)
		if err != nil {
			t.Fatal(err)
		}

		secret, token, err := a.NewToken(ctx, Identity{Reader: r}, TokenRequest{Name: "ci", Role: sinew.RoleDeveloper})
		if err != nil {
			t.Fatal(err)
		}
		if want := clock.Add(TokenLife); !token.Expires.Equal(want) {
			t.Errorf("expires %s, want %s", token.Expires, want)
		}
		id, err := a.Bearer(ctx, secret)
		if err != nil || id.Reader.All != sinew.RoleDeveloper || id.Reader.Principal != ann.Pseudonym {
			t.Fatalf("bearer = %+v, %v", id.Reader, err)
		}
		_, _, err = a.NewToken(ctx, id, TokenRequest{Name: "more", Role: sinew.RoleAdmin})
		wantCode(t, err, sinew.CodeDenied, "a token that makes a mightier one")
		for name, life := range map[string]time.Duration{"too long": MaxLife + time.Hour, "too short": time.Second, "negative": -time.Hour} {
			_, _, err = a.NewToken(ctx, Identity{Reader: r}, TokenRequest{Name: "x", Life: life})
			wantCode(t, err, sinew.CodeInvalid, "a life "+name)
		}
		limited, _, err := a.NewToken(ctx, Identity{Reader: r}, TokenRequest{Name: "one", Role: sinew.RoleDeveloper, Units: []int64{7}})
		if err != nil {
			t.Fatal(err)
		}
		id, err = a.Bearer(ctx, limited)
		if err != nil || id.Reader.Can(sinew.RoleViewer, 8) || !id.Reader.Can(sinew.RoleDeveloper, 7) || id.Reader.All != sinew.RoleNone {
			t.Errorf("limited = %+v, %v", id.Reader, err)
		}
		_, _, err = a.NewToken(ctx, id, TokenRequest{Name: "two", Units: []int64{7, 8}})
		wantCode(t, err, sinew.CodeDenied, "a token that leaves its units")
		if _, child, err := a.NewToken(ctx, id, TokenRequest{Name: "child"}); err != nil || len(child.Units) != 1 || child.Role != sinew.RoleDeveloper {
			t.Errorf("child = %+v, %v", child, err)
		}

		*clock = clock.Add(TokenLife)
		_, err = a.Bearer(ctx, secret)
		wantCode(t, err, sinew.CodeUnauthn, "an expired token")
		_, err = a.Bearer(ctx, "sinew_nonsense")
		wantCode(t, err, sinew.CodeUnauthn, "no token")

		if err := a.ChangePassword(ctx, Identity{Reader: r}, here, pass, "another horse battery"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, a.ChangePassword(ctx, Identity{Reader: r}, here, pass, "a third horse battery"), sinew.CodeUnauthn, "the old password")
		if _, err := a.SignIn(ctx, ws, here, "ann", "another horse battery"); err != nil {
			t.Error(err)
		}
	})
}

// TestTokenOfTheOperator makes a token as whoever holds the database: it belongs
// to a program of its own, who cannot sign in and is no administrator to count on.
func TestTokenOfTheOperator(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, _ *time.Time, ws int64) {
		ctx := t.Context()
		a, err := New(ctx, db, slog.New(slog.DiscardHandler), testKey)
		if err != nil {
			t.Fatal(err)
		}
		by := Identity{Reader: store.System(ws)}
		for _, tt := range []struct {
			req   TokenRequest
			all   sinew.Role
			unit7 sinew.Role
		}{
			{TokenRequest{Name: "ci", Role: sinew.RoleDeveloper}, sinew.RoleDeveloper, sinew.RoleDeveloper},
			{TokenRequest{Name: "one", Role: sinew.RoleDeveloper, Units: []int64{7}}, sinew.RoleNone, sinew.RoleDeveloper},
		} {
			secret, token, err := a.NewToken(ctx, by, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			id, err := a.Bearer(ctx, secret)
			if err != nil || id.Reader.All != tt.all || id.Reader.Role(7) != tt.unit7 || id.Reader.Principal != token.Principal || token.Principal == store.SystemActor {
				t.Errorf("%s acts as %+v, %v", tt.req.Name, id.Reader, err)
			}
		}
		if link, err := a.FirstInvite(ctx, ws); err != nil || link == "" {
			t.Errorf("programs keep the first administrator out: %q, %v", link, err)
		}
	})
}

func TestRehashAtSignIn(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, _ *time.Time, ws int64) {
		ctx := t.Context()
		a, err := New(ctx, db, slog.New(slog.DiscardHandler), testKey)
		if err != nil {
			t.Fatal(err)
		}
		salt := []byte("0123456789abcdef")
		older := fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", base64.RawStdEncoding.EncodeToString(salt),
			base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(pass), salt, 1, 64, 1, 32)))
		if _, err := db.CreatePrincipal(ctx, store.System(ws), store.NewPrincipal{Login: "ann", PasswordHash: older}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := a.SignIn(ctx, ws, here, "ann", pass); err != nil {
				t.Fatal(err)
			}
		}
		p, err := db.PrincipalByLogin(ctx, ws, "ann")
		if err != nil || p.PasswordHash == older || !strings.Contains(p.PasswordHash, "m=19456,t=2") {
			t.Errorf("stored is %s, %v", p.PasswordHash, err)
		}
	})
}

// TestSignInRate holds the number of guesses down, per login and per network
// (TRU1). The database's clock stands still, so nothing refills.
func TestSignInRate(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, clock *time.Time, ws int64) {
		ctx := t.Context()
		a, err := New(ctx, db, slog.New(slog.DiscardHandler), testKey)
		if err != nil {
			t.Fatal(err)
		}
		a.decoy = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg" // cheap
		tries := func(login string, from string) (n int) {
			for ; n < 100; n++ {
				_, err := a.SignIn(ctx, ws, netip.MustParseAddr(from), login, "guess")
				if sinew.CodeOf(err) == sinew.CodeUnavailable {
					return n
				}
			}
			return n
		}
		if n := tries("ann", "192.0.2.1"); n != loginBurst {
			t.Errorf("ann may be guessed %d times, want %d", n, loginBurst)
		}
		if n := tries("ann", "192.0.2.99"); n != loginBurst {
			t.Errorf("ann may be guessed %d times from elsewhere, want %d", n, loginBurst)
		}
		guesses := 0
		for sinew.CodeOf(err) != sinew.CodeUnavailable {
			guesses++
			_, err = a.SignIn(ctx, ws, netip.MustParseAddr("198.51.100.7"), fmt.Sprintf("user%d", guesses), "guess")
		}
		if guesses-1 != networkBurst {
			t.Errorf("a network may guess %d times, want %d", guesses-1, networkBurst)
		}
		*clock = clock.Add(loginEvery)
		if n := tries("ann", "192.0.2.1"); n != 1 {
			t.Errorf("after a minute ann may be guessed %d times, want 1", n)
		}
	})
}
