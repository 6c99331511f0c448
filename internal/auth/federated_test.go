package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/auth/openid"
	"github.com/sinewsec/sinew/internal/auth/openid/openidtest"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// callback is where browsers come back to; nothing listens there, the tests read
// the address.
const callback = "http://127.0.0.1:9/auth/corp/callback"

// federation is a workspace with a provider that people sign in by.
type federation struct {
	*testing.T
	*Auth
	db       *store.DB
	ws       sinew.Workspace
	admin    sinew.Reader
	provider *openidtest.Provider
	log      *bytes.Buffer
}

func newFederation(t *testing.T, db *store.DB, ws int64, p *openidtest.Provider) *federation {
	t.Helper()
	f := &federation{T: t, db: db, admin: store.System(ws), provider: p, log: &bytes.Buffer{}}
	var err error
	f.Auth, err = New(t.Context(), db, slog.New(slog.NewTextHandler(f.log, nil)), testKey)
	f.must(err)
	f.ws, err = db.WorkspaceByID(t.Context(), ws)
	f.must(err)
	_, err = f.SaveProvider(t.Context(), f.admin, f.settings(), &p.ClientSecret, true)
	f.must(err)
	return f
}

func (f *federation) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *federation) settings() store.Provider {
	return store.Provider{ID: "corp", Name: "Corp", ProviderSettings: store.ProviderSettings{
		Issuer: f.provider.Issuer, ClientID: f.provider.ClientID, Scopes: []string{"profile", "email", "groups"},
		GroupsClaim: "groups", LoginClaim: "preferred_username", Enabled: true,
		Mappings: []store.GroupRole{{Group: "security", Role: sinew.RoleAdmin}, {Group: "staff", Role: sinew.RoleViewer}},
	}}
}

// begin begins a sign-in, and lets subject sign in at the provider.
func (f *federation) begin(subject string, change ...func(url.Values)) (kept string, answer url.Values) {
	f.Helper()
	location, kept, err := f.BeginFederated(f.Context(), f.ws, "corp", callback, "/findings?filter=x")
	f.must(err)
	u, err := url.Parse(location)
	f.must(err)
	q := u.Query()
	for _, c := range change {
		c(q)
	}
	u.RawQuery = q.Encode()
	return kept, f.provider.SignIn(u.String(), subject).Query()
}

func (f *federation) finish(kept string, answer url.Values) (sinew.Reader, string, error) {
	return f.FinishFederated(f.Context(), f.ws, "corp", callback, kept, answer, here)
}

// fails holds that a sign-in fails for this reason, and that the log has it.
func (f *federation) fails(what, want string, err error) {
	f.Helper()
	e, ok := errors.AsType[*openid.Error](err)
	if !ok || e.Code != want {
		f.Errorf("%s: %v, want %s", what, err, want)
		return
	}
	var last store.AccessChange
	for entry, err := range f.db.Entries(f.Context(), f.ws.ID, 0) {
		f.must(err)
		if entry.Kind == sinew.EntryAccess && bytes.Contains(entry.Payload, []byte(`"op":"refused"`)) {
			last = store.AccessChange{Reason: string(entry.Payload)}
		}
	}
	if !strings.Contains(last.Reason, `"provider":"corp"`) || !strings.Contains(last.Reason, `"reason":"`+want+`"`) {
		f.Errorf("%s: the log has %s", what, last.Reason)
	}
}

// TestFederatedSignIn lets people in by a real provider, and keeps out who must
// stay out (TRU1).
func TestFederatedSignIn(t *testing.T) {
	p := openidtest.Start(t, callback, "http://127.0.0.1:9/signin", 2*time.Minute)
	ann := openidtest.Claims{"name": "Ann Person", "preferred_username": "ann", "email": "ann@example.org", "groups": []string{"security", "staff"}}
	p.People(map[string]openidtest.Claims{"ann": ann, "stranger": {"name": "Some Body", "groups": "visitors"}, "one": {"groups": "staff"}})
	both(t, func(t *testing.T, db *store.DB, clock *time.Time, ws int64) {
		*clock = time.Now() // the provider has the real one
		p.People(map[string]openidtest.Claims{"ann": ann, "stranger": {"name": "Some Body", "groups": "visitors"}, "one": {"groups": "staff"}})
		f := newFederation(t, db, ws, p)

		// Groups give roles; a group that is gone gives none any more.
		r, back, err := f.finish(f.begin("ann"))
		f.must(err)
		if r.All != sinew.RoleAdmin || back != "/findings?filter=x" {
			t.Errorf("ann is %+v, goes on to %s", r, back)
		}
		who, err := db.Principal(t.Context(), r, r.Principal)
		f.must(err)
		if who.Login != "ann" || who.Name != "Ann Person" || who.Email != "ann@example.org" || who.All != "" {
			t.Errorf("ann is kept as %+v", who)
		}
		p.People(map[string]openidtest.Claims{"ann": {"preferred_username": "ann", "groups": []string{"staff"}}, "one": {"groups": "staff"}, "stranger": {"groups": "visitors"}})
		again, _, err := f.finish(f.begin("ann"))
		f.must(err)
		if again.Principal != r.Principal || again.All != sinew.RoleViewer {
			t.Errorf("ann left a group and is %+v", again)
		}
		one, _, err := f.finish(f.begin("one"))
		if err != nil || one.All != sinew.RoleViewer {
			t.Errorf("somebody with one group as a text: %+v %v", one, err)
		}
		_, _, err = f.finish(f.begin("stranger"))
		f.fails("somebody without a role", store.RefusedNoRole, err)
		f.must(db.DisablePrincipal(t.Context(), f.admin, r.Principal))
		_, _, err = f.finish(f.begin("ann"))
		f.fails("somebody who is disabled", store.RefusedDisabled, err)
		f.must(db.EnablePrincipal(t.Context(), f.admin, r.Principal))

		// What a browser brings is held to what it began.
		kept, answer := f.begin("ann")
		if _, _, err := f.finish(kept, answer); err != nil {
			t.Fatal(err)
		}
		_, _, err = f.finish(kept, answer)
		f.fails("a code used twice", openid.FailCode, err)
		with := func(name, value string) func(url.Values) {
			return func(q url.Values) {
				if q.Del(name); value != "" {
					q.Set(name, value)
				}
			}
		}
		for _, tc := range []struct {
			name, want string
			ask, bring func(url.Values)
		}{
			{"another state", openid.FailState, nil, with("state", "x")},
			{"no state", openid.FailState, nil, with("state", "")},
			{"a code of nobody", openid.FailCode, nil, with("code", "x")},
			{"another issuer", openid.FailIssuer, nil, with("iss", "https://evil.example.org")},
			{"no issuer, from one that names itself", openid.FailIssuer, nil, with("iss", "")},
			{"a token for another nonce", openid.FailToken, with("nonce", "another"), nil},
			{"a code for another verifier", openid.FailCode, with("code_challenge", strings.Repeat("a", 43)), nil},
			{"the provider says no", openid.FailRefused, nil, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }},
			{"the provider is broken", openid.FailProvider, nil, func(q url.Values) { q.Del("code"); q.Set("error", "server_error") }},
			{"we may not do this", openid.FailClient, nil, func(q url.Values) { q.Del("code"); q.Set("error", "unauthorized_client") }},
		} {
			var ask []func(url.Values)
			if tc.ask != nil {
				ask = append(ask, tc.ask)
			}
			kept, answer := f.begin("ann", ask...)
			if tc.bring != nil {
				tc.bring(answer)
			}
			_, _, err := f.finish(kept, answer)
			f.fails(tc.name, tc.want, err)
		}
		kept, answer = f.begin("ann")
		altered := []byte(kept)
		altered[20] ^= 1 // still a letter or digit, or refused as none
		another, _ := f.begin("ann")
		for name, other := range map[string]string{"none": "", "rubbish": "!", "too short": "AA", "altered": string(altered), "of another sign-in": another} {
			_, _, err := f.finish(other, answer)
			f.fails("what the browser kept is "+name, openid.FailState, err)
		}

		// Clocks. The limits of attempts begin anew, as ours goes back too.
		move := func(by time.Duration) {
			*clock = time.Now().Add(by)
			f.callbacks = newLimiter(callbackBurst, callbackEvery, remembered, db.Now)
		}
		kept, answer = f.begin("ann")
		move(FlowLife + 2*time.Second)
		_, _, err = f.finish(kept, answer)
		f.fails("too late", openid.FailState, err)
		move(0)
		kept, answer = f.begin("ann")
		move(5 * time.Minute)
		_, _, err = f.finish(kept, answer)
		f.fails("an ID token that has expired", openid.FailToken, err)
		move(-20 * time.Minute)
		_, _, err = f.finish(f.begin("ann"))
		f.fails("an ID token that is to come", openid.FailToken, err)
		move(2*time.Minute + 30*time.Second)
		if _, _, err = f.finish(f.begin("ann")); err != nil {
			t.Errorf("a clock that goes a little before the provider's: %v", err)
		}
		move(0)

		// Settings that do not hold.
		wrong := "not the secret"
		_, err = f.SaveProvider(t.Context(), f.admin, f.settings(), &wrong, false)
		f.must(err)
		_, _, err = f.finish(f.begin("ann"))
		f.fails("a client secret that is wrong", openid.FailClient, err)
		if checks, err := f.CheckProvider(t.Context(), f.admin, "corp", callback); err != nil || !slices.ContainsFunc(checks, func(c openid.Check) bool { return c.What == "client" && c.Status == openid.CheckFailed }) {
			t.Errorf("checked with a wrong secret: %+v %v", checks, err)
		}
		_, err = f.SaveProvider(t.Context(), f.admin, f.settings(), &p.ClientSecret, false)
		f.must(err)
		checks, err := f.CheckProvider(t.Context(), f.admin, "corp", callback)
		f.must(err)
		for _, c := range checks {
			if c.Status != openid.CheckOK {
				t.Errorf("check %+v", c)
			}
		}
		if out := f.FederatedLogout(t.Context(), f.ws, "corp", "http://127.0.0.1:9/signin"); !strings.HasPrefix(out, p.Issuer+"/session/end?client_id=sinew&post_logout_redirect_uri=http") {
			t.Errorf("signs out at %s", out)
		}
		off := f.settings()
		off.Enabled = false
		kept, answer = f.begin("ann")
		_, err = f.SaveProvider(t.Context(), f.admin, off, nil, false)
		f.must(err)
		_, _, err = f.finish(kept, answer)
		f.fails("a provider that is not enabled any more", openid.FailUnknown, err)

		// With another master key the client secret cannot be read, which is said.
		_, err = f.SaveProvider(t.Context(), f.admin, f.settings(), nil, false)
		f.must(err)
		other, err := New(t.Context(), db, f.Auth.log, func(string) []byte { return bytes.Repeat([]byte{9}, 32) })
		f.must(err)
		_, _, err = other.BeginFederated(t.Context(), f.ws, "corp", callback, "/")
		if e, ok := errors.AsType[*openid.Error](err); !ok || e.Code != openid.FailClient {
			t.Errorf("another master key: %v", err)
		}
		_, err = other.CheckProvider(t.Context(), f.admin, "corp", callback)
		wantCode(t, err, sinew.CodeConflict, "check with another master key")

		report, err := db.VerifyLog(t.Context(), ws, store.VerifyOptions{})
		f.must(err)
		f.must(report.Err())
		f.secretStaysIn()
	})
}

// secretStaysIn looks for the client secret where it must not be (TRU6).
func (f *federation) secretStaysIn() {
	f.Helper()
	stored, err := f.db.Provider(f.Context(), f.admin, "corp")
	f.must(err)
	if len(stored.Secret) == 0 || bytes.Contains(stored.Secret, []byte(f.provider.ClientSecret)) {
		f.Error("the client secret is stored as it is, or not at all")
	}
	if strings.Contains(f.log.String(), f.provider.ClientSecret) {
		f.Error("the server's log has the client secret")
	}
	for entry, err := range f.db.Entries(f.Context(), f.ws.ID, 0) {
		f.must(err)
		if bytes.Contains(entry.Payload, []byte(f.provider.ClientSecret)) || bytes.Contains(entry.Payload, []byte("ann@example.org")) {
			f.Errorf("entry %d tells too much: %s", entry.Seq, entry.Payload)
		}
	}
}

// TestProviderDown: who cannot sign in by the provider is told so, and passwords
// go on working (TRU1).
func TestProviderDown(t *testing.T) {
	both(t, func(t *testing.T, db *store.DB, clock *time.Time, ws int64) {
		*clock = time.Now()
		p := openidtest.Start(t, callback, "", 2*time.Minute)
		p.People(map[string]openidtest.Claims{"ann": {"groups": "staff"}})
		f := newFederation(t, db, ws, p)
		kept, answer := f.begin("ann")
		p.Stop()
		_, _, err := f.finish(kept, answer)
		f.fails("the provider went while somebody was there", openid.FailProvider, err)
		*clock = clock.Add(time.Minute)
		if _, _, err := f.BeginFederated(t.Context(), f.ws, "corp", callback, "/"); err != nil {
			t.Errorf("its settings are known for an hour: %v", err) // the browser sees that it does not answer
		}
		fresh, err := New(context.WithoutCancel(t.Context()), db, f.Auth.log, testKey)
		f.must(err)
		_, _, err = fresh.BeginFederated(t.Context(), f.ws, "corp", callback, "/")
		if e, ok := errors.AsType[*openid.Error](err); !ok || e.Code != openid.FailProvider {
			t.Errorf("the provider is down: %v", err)
		}
		checks, err := f.CheckProvider(t.Context(), f.admin, "corp", callback)
		if err != nil || len(checks) != 1 || checks[0].Status != openid.CheckFailed || !strings.Contains(checks[0].Detail, "/.well-known/openid-configuration") {
			t.Errorf("checks %+v, %v", checks, err)
		}
		_, err = f.CreateUser(t.Context(), f.admin, NewUser{Login: "bob", Password: pass, All: sinew.RoleViewer})
		f.must(err)
		if _, err := f.SignIn(t.Context(), ws, here, "bob", pass); err != nil {
			t.Errorf("a password, while the provider is down: %v", err)
		}
	})
}

// TestLocalPath: nobody is sent on to another site.
func TestLocalPath(t *testing.T) {
	for back, want := range map[string]string{
		"/findings?filter=a&b#c": "/findings?filter=a&b#c", "/": "/",
		"": "/", "findings": "/", "//evil.example.org": "/", "/\\evil.example.org": "/", "https://evil.example.org/": "/", "/\t/evil.example.org": "/",
		"javascript:alert(1)": "/", "/%zz": "/", "/" + strings.Repeat("a", 3000): "/", "/a\r\nSet-Cookie: x": "/",
	} {
		if got := LocalPath(back); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", back, got, want)
		}
	}
}
