package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// testSessions follows sessions of browsers from the sign-in to every way in
// which they end (TRU1).
func testSessions(t *testing.T, e *env) {
	db := e.open()
	person := func(login string, role sinew.Role) sinew.Reader {
		p, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: login, PasswordHash: "h", All: role})
		e.ok(err)
		r, err := db.ReaderFor(t.Context(), e.ws.ID, p.Pseudonym)
		e.ok(err)
		return r
	}
	ann, bob := person("ann", sinew.RoleDeveloper), person("bob", sinew.RoleViewer)
	n := byte(0)
	begin := func(r sinew.Reader) (store.Session, [32]byte) {
		n++
		s, err := db.CreateSession(t.Context(), r, store.NewSession{Hash: [32]byte{n}, Address: "192.0.2.1", Agent: strings.Repeat("é", 200) + "\x00"})
		e.ok(err)
		return s, [32]byte{n}
	}
	lives := func(what string, hash [32]byte) store.Session {
		t.Helper()
		s, r, err := db.SessionByHash(t.Context(), hash)
		if err != nil || r.Principal != s.Principal {
			t.Errorf("%s: %v", what, err)
		}
		return s
	}
	ended := func(what string, hash [32]byte) {
		t.Helper()
		_, _, err := db.SessionByHash(t.Context(), hash)
		e.code(err, sinew.CodeUnauthn, what)
	}

	first, hash := begin(ann)
	s, r, err := db.SessionByHash(t.Context(), hash)
	e.ok(err)
	if s != first || r.All != sinew.RoleDeveloper || len(s.Agent) > 200 || s.WorkspaceUUID != e.ws.UUID || s.Expires.Sub(s.Created) != store.SessionLife {
		t.Errorf("session %+v, begun as %+v, reader %+v", s, first, r)
	}
	ended("an unknown secret", [32]byte{99})

	// The role is the one of now, not the one of the sign-in.
	e.ok(db.SetRole(t.Context(), e.admin(), ann.Principal, sinew.RoleNone))
	if _, r, err = db.SessionByHash(t.Context(), hash); err != nil || r.CanAny(sinew.RoleViewer) {
		t.Errorf("after the role was taken: %+v %v", r, err)
	}

	// A new secret: of two requests one gets it, the old one answers for a minute
	// after the new one was shown, and longer if that never happens.
	one, two := [32]byte{101}, [32]byte{102}
	if ok, err := db.RotateSession(t.Context(), s, hash, one); err != nil || !ok {
		t.Fatalf("rotate: %t %v", ok, err)
	}
	if ok, err := db.RotateSession(t.Context(), s, hash, two); err != nil || ok {
		t.Errorf("a second request rotates too: %t %v", ok, err)
	}
	e.clock.move(30 * time.Second)
	old := lives("the old secret, before the new one was shown", hash)
	if !old.Old || old.Confirmed {
		t.Errorf("old %+v", old)
	}
	if ok, err := db.RotateSession(t.Context(), old, hash, two); err != nil || ok {
		t.Errorf("the new secret may still be on its way: %t %v", ok, err)
	}
	e.clock.move(time.Hour)
	old = lives("the old secret, when the new one was lost", hash)
	if ok, err := db.RotateSession(t.Context(), old, hash, two); err != nil || !ok {
		t.Errorf("the new secret was lost: %t %v", ok, err)
	}
	ended("the secret that was lost", one)
	lives("the new secret", two)
	e.clock.move(50 * time.Second)
	lives("the old secret, less than a minute later", hash)
	e.clock.move(20 * time.Second)
	ended("the old secret, more than a minute later", hash)
	hash = two

	// Idle and absolute ends.
	e.clock.move(store.SessionIdle - 2*time.Minute)
	lives("shortly before it is idle", hash)
	e.clock.move(store.SessionIdle + time.Minute)
	ended("unused for too long", hash)
	_, hash = begin(ann)
	for range 14 {
		e.clock.move(store.SessionIdle - time.Hour)
		lives("used all the time", hash)
	}
	e.clock.move(store.SessionIdle - time.Hour)
	lives("used all the time", hash)
	e.clock.move(4 * time.Hour)
	ended("after seven days", hash)

	// Ways to end one.
	mine, hash := begin(ann)
	_, other := begin(ann)
	his, hisHash := begin(bob)
	if list, err := db.Sessions(t.Context(), ann); err != nil || len(list) != 2 || slices.ContainsFunc(list, func(s store.Session) bool { return s.Principal != ann.Principal }) {
		t.Errorf("ann's sessions: %+v %v", list, err)
	}
	if list, err := db.Sessions(t.Context(), e.admin()); err != nil || len(list) != 3 {
		t.Errorf("all sessions: %+v %v", list, err)
	}
	e.code(db.EndSession(t.Context(), ann, his.ID), sinew.CodeNotFound, "end another's session")
	e.code(db.EndSession(t.Context(), ann, "b0"), sinew.CodeNotFound, "end no session")
	lives("bob's", hisHash)
	e.ok(db.EndSession(t.Context(), e.admin(), his.ID))
	ended("ended by an administrator", hisHash)
	e.ok(db.ChangePassword(t.Context(), ann, ann.Principal, "h2", mine.ID))
	lives("the one in which the password was changed", hash)
	ended("another, after the password was changed", other)
	e.ok(db.SetPassword(t.Context(), ann, ann.Principal, "h3"))
	lives("after the same password was hashed again", hash)
	e.ok(db.EndSession(t.Context(), ann, mine.ID))
	ended("signed out", hash)
	for what, do := range map[string]func() error{
		"password set by an administrator": func() error { return db.ChangePassword(t.Context(), e.admin(), ann.Principal, "h4", "") },
		"disabled": func() error {
			if err := db.DisablePrincipal(t.Context(), e.admin(), ann.Principal); err != nil {
				return err
			}
			return db.EnablePrincipal(t.Context(), e.admin(), ann.Principal) // the session does not come back
		},
	} {
		_, hash := begin(ann)
		e.ok(do())
		ended(what, hash)
	}
	_, hash = begin(ann)
	for range 120 {
		e.clock.move(time.Second)
		begin(ann)
	}
	ended("the oldest of very many", hash)
	if list, err := db.Sessions(t.Context(), ann); err != nil || len(list) != 100 {
		t.Errorf("%d sessions of one principal: %v", len(list), err)
	}
	_, hash = begin(ann)
	e.ok(db.ErasePrincipal(t.Context(), e.admin(), ann.Principal))
	ended("erased", hash)
	if rows := e.query(`SELECT COUNT(*) FROM session WHERE pseudonym = '` + ann.Principal + `'`); rows != 0 {
		t.Errorf("%d sessions of an erased person", rows)
	}
	e.ok(db.NoteRefused(t.Context(), e.ws.ID, "", "", "password"))
	e.verified()
	for entry, err := range db.Entries(t.Context(), e.ws.ID, 0) {
		e.ok(err)
		if s := string(entry.Payload); strings.Contains(s, "192.0.2.1") || strings.Contains(s, "é") {
			t.Errorf("entry %d tells where somebody is: %s", entry.Seq, s)
		}
	}
}

func keycloak() store.Provider {
	return store.Provider{
		ID: "keycloak", Name: "Keycloak", Secret: []byte("sealed"),
		ProviderSettings: store.ProviderSettings{
			Issuer: "https://login.example.org", ClientID: "sinew", Scopes: []string{"profile"}, GroupsClaim: "groups", LoginClaim: "email", Enabled: true,
			Mappings: []store.GroupRole{
				{Group: "security", Role: sinew.RoleAdmin},
				{Group: "shop-dev", Role: sinew.RoleDeveloper, Application: "shop"},
				{Group: "everybody", Role: sinew.RoleViewer, Application: "shop"},
				{Group: "ghosts", Role: sinew.RoleAdmin, Application: "no such application"},
			},
		},
	}
}

// testProviders: settings of sign-in providers, and that verification sees when
// somebody changed them behind our back.
func testProviders(t *testing.T, e *env) {
	db := e.open()
	e.ok(db.CreateProvider(t.Context(), e.admin(), keycloak()))
	got, err := db.Provider(t.Context(), e.admin(), "keycloak")
	e.ok(err)
	if got.Name != "Keycloak" || string(got.Secret) != "sealed" || len(got.Mappings) != 4 || !got.Enabled || got.Created.IsZero() {
		t.Errorf("provider %+v", got)
	}
	same := keycloak()
	same.ID = "other"
	e.code(db.CreateProvider(t.Context(), e.admin(), same), sinew.CodeConflict, "a second provider with that issuer")
	e.code(db.CreateProvider(t.Context(), e.admin(), keycloak()), sinew.CodeConflict, "a second provider with that id")
	for name, change := range map[string]func(*store.Provider){
		"id":              func(p *store.Provider) { p.ID = "Key cloak" },
		"name":            func(p *store.Provider) { p.Name = "" },
		"client":          func(p *store.Provider) { p.ClientID = "" },
		"issuer":          func(p *store.Provider) { p.Issuer = "login.example.org" },
		"issuer by http":  func(p *store.Provider) { p.Issuer = "http://login.example.org" },
		"issuer's query":  func(p *store.Provider) { p.Issuer = "https://login.example.org/?tenant=1" },
		"issuer's user":   func(p *store.Provider) { p.Issuer = "https://a:b@login.example.org/" },
		"scope":           func(p *store.Provider) { p.Scopes = []string{"a b"} },
		"role":            func(p *store.Provider) { p.Mappings = []store.GroupRole{{Group: "x", Role: "king"}} },
		"no role":         func(p *store.Provider) { p.Mappings = []store.GroupRole{{Group: "x"}} },
		"group":           func(p *store.Provider) { p.Mappings = []store.GroupRole{{Role: sinew.RoleViewer}} },
		"default role":    func(p *store.Provider) { p.DefaultRole = "king" },
		"groups claim":    func(p *store.Provider) { p.GroupsClaim = "" },
		"login claim":     func(p *store.Provider) { p.LoginClaim = "" },
		"endless mapping": func(p *store.Provider) { p.Mappings = make([]store.GroupRole, 501) },
	} {
		p := keycloak()
		p.ID = "another"
		change(&p)
		e.code(db.CreateProvider(t.Context(), e.admin(), p), sinew.CodeInvalid, "a provider with a bad "+name)
	}
	change := got
	change.Issuer, change.Secret = "https://elsewhere.example.org", nil
	e.code(db.UpdateProvider(t.Context(), e.admin(), change), sinew.CodeConflict, "another issuer")
	change.Issuer, change.Name, change.Enabled = got.Issuer, "Sign in with work", false
	e.ok(db.UpdateProvider(t.Context(), e.admin(), change))
	got, err = db.Provider(t.Context(), e.admin(), "keycloak")
	e.ok(err)
	if got.Name != "Sign in with work" || string(got.Secret) != "sealed" {
		t.Errorf("changed to %+v", got)
	}
	if list, err := db.SignInProviders(t.Context(), e.ws.ID); err != nil || len(list) != 0 {
		t.Errorf("nobody may sign in by %+v, %v", list, err)
	}
	_, err = db.SignInProvider(t.Context(), e.ws.ID, "keycloak")
	e.code(err, sinew.CodeNotFound, "a provider that is not enabled")
	viewer := sinew.Reader{Workspace: e.ws.ID, Principal: "p", All: sinew.RoleDeveloper}
	e.code(db.UpdateProvider(t.Context(), viewer, change), sinew.CodeDenied, "change as developer")
	e.code(db.DeleteProvider(t.Context(), viewer, "keycloak"), sinew.CodeDenied, "delete as developer")
	e.verified()

	e.exec(`UPDATE provider SET default_role = 'admin'`)
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	if err := report.Err(); err == nil || !strings.Contains(report.Problems[0].What, "sign-in provider keycloak") {
		t.Errorf("a provider that was changed behind our back: %+v", report.Problems)
	}
	e.exec(`UPDATE provider SET default_role = ''`)
	e.ok(db.DeleteProvider(t.Context(), e.admin(), "keycloak"))
	e.code(db.DeleteProvider(t.Context(), e.admin(), "keycloak"), sinew.CodeNotFound, "delete twice")
	e.verified()
}

// testFederated: people whom a provider signs in, and what their groups give.
func testFederated(t *testing.T, e *env) {
	w := e.project()
	db := w.db
	e.ok(db.CreateProvider(t.Context(), w.admin(), keycloak()))
	enter := func(subject string, groups ...string) store.Admission {
		t.Helper()
		a, err := db.SignInFederated(t.Context(), w.ws.ID, store.Federated{
			Provider: "keycloak", Subject: subject, Login: subject + "@example.org", Name: "Ann Person", Email: subject + "@example.org", Groups: groups,
		})
		e.ok(err)
		return a
	}
	may := func(what string, a store.Admission, all sinew.Role, units map[int64]sinew.Role) {
		t.Helper()
		if a.Reason != "" || a.Reader.All != all || !maps.Equal(a.Reader.Units, units) || a.Reader.Workspace != w.ws.ID {
			t.Errorf("%s: %+v", what, a)
		}
	}
	none := map[int64]sinew.Role{}

	if a := enter("sub-1", "ghosts"); a.Reason != store.RefusedNoRole || a.Known != "" || a.Reader.Principal != "" {
		t.Errorf("somebody without a role: %+v", a)
	}
	if n := e.query(`SELECT COUNT(*) FROM identity`); n != 0 {
		t.Errorf("%d strangers were kept", n)
	}
	a := enter("sub-1", "shop-dev", "everybody", "unknown")
	may("the greater of two groups", a, "", map[int64]sinew.Role{shop: sinew.RoleDeveloper})
	ann := a.Reader.Principal
	p, err := db.Principal(t.Context(), a.Reader, ann)
	e.ok(err)
	if p.Login != "sub-1@example.org" || p.Issuer != "https://login.example.org" || p.All != "" || len(p.Grants) != 0 || p.GroupGrants[shop] != sinew.RoleDeveloper {
		t.Errorf("principal %+v", p)
	}

	// A role by hand is told apart: it stays when the group goes.
	e.ok(db.SetGrant(t.Context(), w.admin(), ann, bank, sinew.RoleViewer))
	a = enter("sub-1", "shop-dev")
	may("by hand and by group", a, "", map[int64]sinew.Role{shop: sinew.RoleDeveloper, bank: sinew.RoleViewer})
	if a.Reader.Principal != ann || a.Known != ann {
		t.Errorf("the same subject is somebody else: %+v", a)
	}
	may("the group is gone", enter("sub-1"), "", map[int64]sinew.Role{bank: sinew.RoleViewer})
	may("an administrators' group", enter("sub-1", "security"), sinew.RoleAdmin, map[int64]sinew.Role{bank: sinew.RoleViewer})
	e.verified()

	// The same address and another subject is another person.
	b, err := db.SignInFederated(t.Context(), w.ws.ID, store.Federated{Provider: "keycloak", Subject: "sub-2", Login: "sub-1@example.org", Email: "sub-1@example.org", Groups: []string{"everybody"}})
	e.ok(err)
	if b.Reader.Principal == ann {
		t.Error("somebody is another by his address")
	}

	// Who has no role any more is kept out, at once.
	e.ok(db.SetGrant(t.Context(), w.admin(), ann, bank, sinew.RoleNone))
	_, err = db.CreateSession(t.Context(), a.Reader, store.NewSession{Provider: "keycloak", Hash: [32]byte{1}})
	e.ok(err)
	if a = enter("sub-1"); a.Reason != store.RefusedNoRole || a.Known != ann {
		t.Errorf("without any role: %+v", a)
	}
	_, _, err = db.SessionByHash(t.Context(), [32]byte{1})
	e.code(err, sinew.CodeUnauthn, "a session of somebody without any role")

	// Changed mappings hold at once, also for who is signed in.
	may("back", enter("sub-1", "everybody"), "", map[int64]sinew.Role{shop: sinew.RoleViewer})
	change := keycloak()
	change.Secret, change.DefaultRole, change.Mappings = nil, sinew.RoleViewer, []store.GroupRole{{Group: "everybody", Role: sinew.RoleDeveloper, Application: "shop"}}
	e.ok(db.UpdateProvider(t.Context(), w.admin(), change))
	r, err := db.ReaderFor(t.Context(), w.ws.ID, ann)
	e.ok(err)
	if r.All != sinew.RoleViewer || r.Units[shop] != sinew.RoleDeveloper {
		t.Errorf("after the mappings changed: %+v", r)
	}
	e.verified()

	// A password can be no second way in.
	e.code(db.ChangePassword(t.Context(), w.admin(), ann, "h", ""), sinew.CodeInvalid, "a password for somebody without login")

	e.ok(db.DisablePrincipal(t.Context(), w.admin(), ann))
	if a = enter("sub-1", "everybody"); a.Reason != store.RefusedDisabled || a.Known != ann || a.Reader.Principal != "" {
		t.Errorf("disabled: %+v", a)
	}
	e.ok(db.EnablePrincipal(t.Context(), w.admin(), ann))

	// Without the provider its groups give nothing, and its sessions end.
	a = enter("sub-1", "everybody")
	for i, drop := range []func() error{
		func() error { c := change; c.Enabled = false; return db.UpdateProvider(t.Context(), w.admin(), c) },
		func() error { return db.DeleteProvider(t.Context(), w.admin(), "keycloak") },
	} {
		_, err = db.CreateSession(t.Context(), a.Reader, store.NewSession{Provider: "keycloak", Hash: [32]byte{byte(10 + i)}})
		e.ok(err)
		e.ok(drop())
		_, _, err = db.SessionByHash(t.Context(), [32]byte{byte(10 + i)})
		e.code(err, sinew.CodeUnauthn, "a session by a provider that went")
		r, err = db.ReaderFor(t.Context(), w.ws.ID, ann)
		e.ok(err)
		if r.All != "" || !maps.Equal(r.Units, none) {
			t.Errorf("without the provider: %+v", r)
		}
		e.verified()
		_, err = db.SignInFederated(t.Context(), w.ws.ID, store.Federated{Provider: "keycloak", Subject: "sub-1", Groups: []string{"everybody"}})
		e.code(err, sinew.CodeNotFound, "sign in by a provider that went")
		if i == 0 {
			e.ok(db.UpdateProvider(t.Context(), w.admin(), change))
		}
	}
	e.ok(db.CreateProvider(t.Context(), w.admin(), change))
	if a = enter("sub-1", "everybody"); a.Known != ann {
		t.Errorf("the provider came back, and ann is %+v", a)
	}

	// Erased: nothing is left, and the next sign-in is a stranger's.
	e.ok(db.ErasePrincipal(t.Context(), w.admin(), ann))
	for _, table := range []string{"identity", "group_grant", "session"} {
		if n := e.query(`SELECT COUNT(*) FROM ` + table + ` WHERE pseudonym = '` + ann + `'`); n != 0 {
			t.Errorf("%d rows of an erased person in %s", n, table)
		}
	}
	if a = enter("sub-1", "everybody"); a.Known != "" || a.Reader.Principal == ann {
		t.Errorf("erased, and known: %+v", a)
	}
	e.verified()
	for entry, err := range db.Entries(t.Context(), w.ws.ID, 0) {
		e.ok(err)
		if s := string(entry.Payload); entry.Kind == sinew.EntryAccess && (strings.Contains(s, "sub-1") || strings.Contains(s, "Ann Person")) {
			t.Errorf("entry %d tells who somebody is: %s", entry.Seq, s)
		}
	}
}
