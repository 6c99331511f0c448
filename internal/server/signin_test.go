package server

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestSigningIn goes the ways from a link to a token (TRU1).
func TestSigningIn(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.run(t, "signInAndOut", testSignInAndOut)
		w.run(t, "joinForm", testJoinForm)
	})
}

// testSignInAndOut follows somebody from a link to a token and back (TRU1).
func testSignInAndOut(t *testing.T, w *world) {
	var link invitation
	w.ok("admin", "POST", "/api/v1/invites", object{"role": "developer"}, &link)
	var made user
	w.ok("nobody", "POST", "/api/v1/invites/redeem", object{"secret": link.Secret, "login": "Eve", "password": "open sesame, please"}, &made)
	if made.Role != sinew.RoleDeveloper || made.Login != "eve" {
		t.Errorf("made %+v", made)
	}
	w.problem("nobody", "POST", "/api/v1/invites/redeem", object{"secret": link.Secret, "login": "Mallory", "password": "open sesame, please"}, 401)
	p := w.problem("nobody", "POST", "/api/v1/signin", object{"login": "eve", "password": "open sesame"}, 401)
	q := w.problem("nobody", "POST", "/api/v1/signin", object{"login": "nobody", "password": "open sesame"}, 401)
	r := w.problem("nobody", "POST", "/api/v1/signin", object{"login": "eve", "password": "open sesame, please", "workspace": "other"}, 401)
	if p.Detail != q.Detail || p.Detail != r.Detail {
		t.Errorf("a wrong password says %q, an unknown login %q, an unknown workspace %q", p.Detail, q.Detail, r.Detail)
	}
	var in token
	w.ok("nobody", "POST", "/api/v1/signin", object{"login": "EVE", "password": "open sesame, please"}, &in)
	w.tokens["eve"] = in.Secret
	var me user
	w.ok("eve", "GET", "/api/v1/me", nil, &me)
	if me.ID != made.ID || me.Role != sinew.RoleDeveloper {
		t.Errorf("me is %+v", me)
	}
	var ci token
	w.ok("eve", "POST", "/api/v1/tokens", object{"name": "ci", "role": "viewer", "applications": []string{"shop"}, "days": 7}, &ci)
	if ci.Role != sinew.RoleViewer || !slices.Equal(ci.Applications, []string{"shop"}) || ci.Secret == "" || ci.Expires.Sub(ci.Created).Hours() > 7*24+1 {
		t.Errorf("token is %+v", ci)
	}
	w.tokens["ci"] = ci.Secret
	w.problem("eve", "POST", "/api/v1/tokens", object{"name": "x", "role": "admin"}, 403)
	w.problem("ci", "POST", "/api/v1/tokens", object{"name": "x", "role": "developer"}, 403)
	w.problem("ci", "POST", "/api/v1/tokens", object{"name": "x", "applications": []string{"bank"}}, 404)
	w.problem("ci", "POST", "/api/v1/tokens", object{"name": "x", "user": w.users["admin"]}, 403)
	w.problem("developer", "DELETE", "/api/v1/tokens/"+ci.ID, nil, 404)
	var mine list[token]
	w.ok("eve", "GET", "/api/v1/tokens", nil, &mine)
	if len(mine.Items) != 2 || mine.Items[0].Secret != "" || mine.Items[1].Secret != "" {
		t.Errorf("tokens are %+v", mine.Items)
	}
	w.ok("eve", "DELETE", "/api/v1/tokens/"+ci.ID, nil, nil)
	w.problem("ci", "GET", "/api/v1/me", nil, 401)
	w.ok("eve", "PUT", "/api/v1/me/password", object{"old": "open sesame, please", "new": "closed sesame, now"}, nil)
	w.problem("nobody", "POST", "/api/v1/signin", object{"login": "eve", "password": "open sesame, please"}, 401)
	w.ok("admin", "POST", "/api/v1/users/"+made.ID+"/disable", nil, nil)
	w.problem("eve", "GET", "/api/v1/me", nil, 401)
	w.ok("admin", "POST", "/api/v1/users/"+made.ID+"/enable", nil, nil)
	w.ok("eve", "GET", "/api/v1/me", nil, &me)
	w.ok("admin", "PUT", "/api/v1/users/"+made.ID+"/role", object{"role": ""}, nil)
	w.problem("eve", "GET", "/api/v1/findings", nil, 403)
	w.ok("admin", "DELETE", "/api/v1/users/"+made.ID, nil, nil)
	w.problem("eve", "GET", "/api/v1/me", nil, 401)
	for _, secret := range []string{link.Secret, in.Secret, ci.Secret, "sesame"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the server's log has %s", secret)
		}
	}
}

// testJoinForm uses a link as a browser does.
func testJoinForm(t *testing.T, w *world) {
	secret, _, err := w.auth.Invite(t.Context(), store.System(w.ws.ID), sinew.RoleAdmin)
	w.must(err)
	a := w.ok("nobody", "GET", "/join/"+secret, nil, nil)
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("policy %s", csp)
	}
	a = w.do("nobody", "POST", "/join/"+secret, url.Values{"login": {`<b>"x`}, "password": {"short"}})
	if a.status != 400 || !strings.Contains(string(a.body), "fewer than 12") || strings.Contains(string(a.body), "<b>\"x") {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.ok("nobody", "POST", "/join/"+secret, url.Values{"login": {"root"}, "password": {password}}, nil)
	if !strings.Contains(string(a.body), "You are <b>root</b>") {
		t.Errorf("%s", a.body)
	}
	if a = w.do("nobody", "POST", "/join/"+secret, url.Values{"login": {"root2"}, "password": {password}}); a.status != 401 {
		t.Errorf("a link used twice: %d", a.status)
	}
	w.ok("nobody", "POST", "/api/v1/signin", object{"login": "root", "password": password}, nil)
	if strings.Contains(w.log.String(), secret) {
		t.Error("the server's log has the link")
	}
}

// TestSignInIsLimited counts attempts by network, as seen past the proxy.
func TestSignInIsLimited(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	try := func(login, from string) answer {
		return w.do("nobody", "POST", "/api/v1/signin", object{"login": login, "password": "wrong"}, "X-Forwarded-For", from)
	}
	n := 0
	for try("bob", "203.0.113.9").status == 401 && n < 20 {
		n++
	}
	if n != 10 {
		t.Errorf("bob can be guessed %d times, want 10", n)
	}
	if a := try("bob", "203.0.113.10"); a.status != 401 {
		t.Errorf("who is elsewhere is kept out by it: %d", a.status) // he may be bob
	}
	a := try("bob", "203.0.113.9")
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.status != 429 || a.header.Get("Retry-After") == "" || p.Status != 429 {
		t.Errorf("%d, retry after %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	if a := try("carl", "203.0.113.11"); a.status != 401 {
		t.Errorf("others are kept out too: %d", a.status)
	}
}
