package storetest

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func testPrincipals(t *testing.T, e *env) {
	db := e.open()
	if has, err := db.HasPrincipals(t.Context(), e.ws.ID); err != nil || has {
		t.Fatalf("principals: %t %v", has, err)
	}
	ann, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{
		Login: " Ann@Example.org ", Name: "Ann Person", Email: "ann@example.org", PasswordHash: "$argon2id$x",
		Grants: map[int64]sinew.Role{3: sinew.RoleDeveloper},
	})
	e.ok(err)
	_, err = db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: "ann@example.org", All: sinew.RoleViewer})
	e.code(err, sinew.CodeConflict, "a login that is taken")
	for _, bad := range []store.NewPrincipal{{Login: "", PasswordHash: "h"}, {Login: "a b"}, {Login: "x", All: "king"}, {Login: "x", Grants: map[int64]sinew.Role{1: "king"}}} {
		_, err := db.CreatePrincipal(t.Context(), e.admin(), bad)
		e.code(err, sinew.CodeInvalid, "create a bad principal")
	}
	found, err := db.PrincipalByLogin(t.Context(), e.ws.ID, "ANN@example.org")
	e.ok(err)
	if found.Pseudonym != ann.Pseudonym || found.PasswordHash != "$argon2id$x" || found.Name != "Ann Person" {
		t.Errorf("found %+v", found)
	}
	r, err := db.ReaderFor(t.Context(), e.ws.ID, ann.Pseudonym)
	e.ok(err)
	if r.Workspace != e.ws.ID || r.All != "" || !maps.Equal(r.Units, map[int64]sinew.Role{3: sinew.RoleDeveloper}) {
		t.Errorf("reader %+v", r)
	}
	e.ok(db.SetGrant(t.Context(), e.admin(), ann.Pseudonym, 3, sinew.RoleViewer))
	e.ok(db.SetGrant(t.Context(), e.admin(), ann.Pseudonym, 4, sinew.RoleViewer))
	e.ok(db.SetGrant(t.Context(), e.admin(), ann.Pseudonym, 4, sinew.RoleNone))
	e.ok(db.SetRole(t.Context(), e.admin(), ann.Pseudonym, sinew.RoleViewer))
	r, err = db.ReaderFor(t.Context(), e.ws.ID, ann.Pseudonym)
	e.ok(err)
	if r.All != sinew.RoleViewer || !maps.Equal(r.Units, map[int64]sinew.Role{3: sinew.RoleViewer}) {
		t.Errorf("reader %+v", r)
	}
	e.ok(db.SetPassword(t.Context(), r, ann.Pseudonym, "$argon2id$y"))
	e.code(db.SetPassword(t.Context(), r, "somebody", "z"), sinew.CodeDenied, "set another's password")
	e.code(db.SetRole(t.Context(), r, ann.Pseudonym, sinew.RoleAdmin), sinew.CodeDenied, "make oneself administrator")
	e.code(db.SetRole(t.Context(), e.admin(), "nobody", sinew.RoleAdmin), sinew.CodeNotFound, "change nobody")
	if _, err := db.Principals(t.Context(), r); sinew.CodeOf(err) != sinew.CodeDenied {
		t.Errorf("a viewer lists principals: %v", err)
	}
	self, err := db.Principal(t.Context(), r, ann.Pseudonym)
	e.ok(err)
	if self.PasswordHash != "" || self.Login != "ann@example.org" {
		t.Errorf("self %+v", self)
	}
	e.ok(db.DisablePrincipal(t.Context(), e.admin(), ann.Pseudonym))
	_, err = db.ReaderFor(t.Context(), e.ws.ID, ann.Pseudonym)
	e.code(err, sinew.CodeNotFound, "a disabled principal reads")
	_, err = db.PrincipalByLogin(t.Context(), e.ws.ID, "ann@example.org")
	e.code(err, sinew.CodeNotFound, "a disabled principal signs in")
	e.ok(db.EnablePrincipal(t.Context(), e.admin(), ann.Pseudonym))
	e.verified()

	// TRU2: erasing a person keeps the chain valid, and the log never knew who
	// it was.
	e.ok(db.ErasePrincipal(t.Context(), e.admin(), ann.Pseudonym))
	list, err := db.Principals(t.Context(), e.admin())
	e.ok(err)
	if len(list) != 0 {
		t.Errorf("principals %+v", list)
	}
	for entry, err := range db.Entries(t.Context(), e.ws.ID, 0) {
		e.ok(err)
		if s := strings.ToLower(string(entry.Payload)); strings.Contains(s, "example.org") || strings.Contains(s, "argon2") {
			t.Errorf("entry %d holds personal data: %s", entry.Seq, entry.Payload)
		}
	}
	if n := e.query(`SELECT COUNT(*) FROM access_grant`); n != 0 {
		t.Errorf("%d grants", n)
	}
	e.verified()
}

func (e *env) verified() {
	e.Helper()
	report, err := e.db.VerifyLog(e.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	e.ok(report.Err())
}

func testLastAdmin(t *testing.T, e *env) {
	db := e.open()
	create := func(login string) string {
		p, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: login, PasswordHash: "h", All: sinew.RoleAdmin})
		e.ok(err)
		return p.Pseudonym
	}
	one := create("one")
	e.code(db.SetRole(t.Context(), e.admin(), one, sinew.RoleViewer), sinew.CodeConflict, "demote the last")
	e.code(db.DisablePrincipal(t.Context(), e.admin(), one), sinew.CodeConflict, "disable the last")
	e.code(db.ErasePrincipal(t.Context(), e.admin(), one), sinew.CodeConflict, "erase the last")
	// Programs are no administrators who could let others in.
	for range 2 {
		robot, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Name: "robot", All: sinew.RoleAdmin})
		e.ok(err)
		e.code(db.ErasePrincipal(t.Context(), e.admin(), one), sinew.CodeConflict, "erase the last who can sign in")
		e.ok(db.ErasePrincipal(t.Context(), e.admin(), robot.Pseudonym))
	}
	two := create("two")
	e.ok(db.DisablePrincipal(t.Context(), e.admin(), one))
	e.code(db.ErasePrincipal(t.Context(), e.admin(), two), sinew.CodeConflict, "erase the last that is enabled")
	e.ok(db.ErasePrincipal(t.Context(), e.admin(), one))
}

func testTokens(t *testing.T, e *env) {
	db := e.open()
	create := func(login string, all sinew.Role, grants map[int64]sinew.Role) sinew.Reader {
		p, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: login, All: all, Grants: grants})
		e.ok(err)
		r, err := db.ReaderFor(t.Context(), e.ws.ID, p.Pseudonym)
		e.ok(err)
		return r
	}
	ann := create("ann", sinew.RoleViewer, map[int64]sinew.Role{3: sinew.RoleAdmin, 4: sinew.RoleDeveloper})
	bob := create("bob", sinew.RoleDeveloper, nil)
	day := monday.Add(24 * time.Hour)
	n := byte(0)
	token := func(r sinew.Reader, t store.NewToken) (store.Token, [32]byte, error) {
		n++
		t.Hash, t.Name, t.Expires = [32]byte{n}, "ci", day
		got, err := db.CreateToken(e.Context(), r, t)
		return got, t.Hash, err
	}
	for _, tc := range []struct {
		name  string
		token store.NewToken
		all   sinew.Role
		units map[int64]sinew.Role
	}{
		{"everything", store.NewToken{Role: sinew.RoleAdmin}, sinew.RoleViewer, map[int64]sinew.Role{3: sinew.RoleAdmin, 4: sinew.RoleDeveloper}},
		{"a lower role", store.NewToken{Role: sinew.RoleDeveloper}, sinew.RoleViewer, map[int64]sinew.Role{3: sinew.RoleDeveloper, 4: sinew.RoleDeveloper}},
		{"one unit", store.NewToken{Role: sinew.RoleDeveloper, Units: []int64{3}}, "", map[int64]sinew.Role{3: sinew.RoleDeveloper}},
		{"a unit by the general role", store.NewToken{Role: sinew.RoleAdmin, Units: []int64{9}}, "", map[int64]sinew.Role{9: sinew.RoleViewer}},
		{"no unit", store.NewToken{Role: sinew.RoleAdmin, Units: []int64{}}, "", map[int64]sinew.Role{}},
	} {
		made, hash, err := token(ann, tc.token)
		e.ok(err)
		found, r, err := db.TokenByHash(t.Context(), hash)
		e.ok(err)
		if found.ID != made.ID || found.PublicID != made.PublicID || r.Principal != ann.Principal || r.All != tc.all || !maps.Equal(r.Units, tc.units) {
			t.Errorf("%s: token %+v, reader %+v", tc.name, found, r)
		}
		if id, err := sinew.ParsePublicID(e.ws.UUID, sinew.IDToken, made.PublicID); err != nil || id != made.ID {
			t.Errorf("%s: public id %s", tc.name, made.PublicID)
		}
	}
	_, _, err := token(bob, store.NewToken{Principal: ann.Principal, Role: sinew.RoleViewer})
	e.code(err, sinew.CodeDenied, "a token for another")
	_, _, err = token(bob, store.NewToken{Role: "king"})
	e.code(err, sinew.CodeInvalid, "an unknown role")
	_, err = db.CreateToken(t.Context(), bob, store.NewToken{Name: "x", Role: sinew.RoleViewer, Expires: monday})
	e.code(err, sinew.CodeInvalid, "a token that has expired")
	made, hash, err := token(bob, store.NewToken{Role: sinew.RoleDeveloper})
	e.ok(err)
	_, _, err = db.TokenByHash(t.Context(), [32]byte{99})
	e.code(err, sinew.CodeUnauthn, "an unknown token")

	own, err := db.Tokens(t.Context(), bob)
	e.ok(err)
	all, err := db.Tokens(t.Context(), e.admin())
	e.ok(err)
	if len(own) != 1 || len(all) != 6 {
		t.Errorf("bob sees %d tokens, the administrator %d", len(own), len(all))
	}
	e.code(db.RevokeToken(t.Context(), ann, made.ID), sinew.CodeNotFound, "revoke another's token")
	e.ok(db.DisablePrincipal(t.Context(), e.admin(), bob.Principal))
	_, _, err = db.TokenByHash(t.Context(), hash)
	e.code(err, sinew.CodeUnauthn, "a token of a disabled principal")
	e.ok(db.EnablePrincipal(t.Context(), e.admin(), bob.Principal))
	if _, _, err = db.TokenByHash(t.Context(), hash); err != nil {
		t.Error(err)
	}
	e.ok(db.RevokeToken(t.Context(), bob, made.ID))
	e.ok(db.RevokeToken(t.Context(), bob, made.ID)) // again: nothing
	_, _, err = db.TokenByHash(t.Context(), hash)
	e.code(err, sinew.CodeUnauthn, "a revoked token")
	e.clock.move(25 * time.Hour)
	_, _, err = db.TokenByHash(t.Context(), [32]byte{1})
	e.code(err, sinew.CodeUnauthn, "an expired token")
	e.verified()
	e.ok(db.ErasePrincipal(t.Context(), e.admin(), ann.Principal))
	e.verified()
}

func testInvites(t *testing.T, e *env) {
	db := e.open()
	hash := [32]byte{7}
	e.ok(db.CreateInvite(t.Context(), e.admin(), sinew.RoleAdmin, hash, monday.Add(time.Hour)))
	e.code(db.CreateInvite(t.Context(), sinew.Reader{Workspace: e.ws.ID, All: sinew.RoleDeveloper}, sinew.RoleAdmin, [32]byte{8}, monday.Add(time.Hour)),
		sinew.CodeDenied, "an invitation by a developer")
	ws, role, err := db.Invite(t.Context(), hash)
	e.ok(err)
	if ws != e.ws.ID || role != sinew.RoleAdmin {
		t.Errorf("invitation to %d as %s", ws, role)
	}
	p, _, err := db.RedeemInvite(t.Context(), hash, store.NewPrincipal{Login: "ann", PasswordHash: "h", All: sinew.RoleViewer})
	e.ok(err)
	if p.All != sinew.RoleAdmin {
		t.Errorf("principal %+v", p)
	}
	_, _, err = db.RedeemInvite(t.Context(), hash, store.NewPrincipal{Login: "eve"})
	e.code(err, sinew.CodeUnauthn, "use a link twice")
	late := [32]byte{9}
	e.ok(db.CreateInvite(t.Context(), e.admin(), sinew.RoleAdmin, late, monday.Add(time.Hour)))
	e.clock.move(2 * time.Hour)
	_, _, err = db.RedeemInvite(t.Context(), late, store.NewPrincipal{Login: "eve"})
	e.code(err, sinew.CodeUnauthn, "use a link too late")
	e.verified()
}
