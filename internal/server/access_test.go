package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// class says who may use a route, in the words of the requirement (TRU1), not
// of the table that is tested.
type class int

const (
	public      class = iota // anybody
	own                      // whoever is signed in, about himself
	reads                    // who may view anything; shows only what he may view
	readsOne                 // who may view it; for others it isn't there
	sends                    // who may import into it
	writes                   // who may decide on it; for who may not view it, it isn't there
	administers              // administrators of the workspace
)

// attempt is a request about an application.
type attempt struct {
	path string
	body any
}

// expectation is what a test knows of a route. A route without one fails.
type expectation struct {
	class class
	ok    int
	try   func(w *world, sender string, s side) attempt
}

func plain(path string) func(*world, string, side) attempt {
	return func(*world, string, side) attempt { return attempt{path: path} }
}

type object map[string]any

var expectations = map[string]expectation{
	"GET /health/live":         {public, 200, plain("/health/live")},
	"GET /health/ready":        {public, 200, plain("/health/ready")},
	"GET /api/v1/openapi.json": {public, 200, plain("/api/v1/openapi.json")},
	"POST /api/v1/signin": {public, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/signin", object{"login": "ann", "password": password}}
	}},
	"POST /api/v1/invites/redeem": {public, 201, func(w *world, _ string, _ side) attempt {
		secret, _, err := w.auth.Invite(w.Context(), store.System(w.ws.ID), sinew.RoleViewer)
		w.must(err)
		return attempt{"/api/v1/invites/redeem", object{"secret": secret, "login": w.fresh("guest"), "password": password}}
	}},

	"GET /join/{invite}": {public, 200, plain("/join/sinew_invite_x")},
	"POST /join/{invite}": {public, 200, func(w *world, _ string, _ side) attempt {
		secret, _, err := w.auth.Invite(w.Context(), store.System(w.ws.ID), sinew.RoleViewer)
		w.must(err)
		return attempt{"/join/" + secret, url.Values{"login": {w.fresh("guest")}, "password": {password}}}
	}},

	"GET /api/v1/version": {own, 200, plain("/api/v1/version")},
	"GET /api/v1/me":      {own, 200, plain("/api/v1/me")},
	"PUT /api/v1/me/password": {own, 204, func(*world, string, side) attempt {
		return attempt{"/api/v1/me/password", object{"old": password, "new": password}}
	}},
	"GET /api/v1/tokens": {own, 200, plain("/api/v1/tokens")},
	"POST /api/v1/tokens": {own, 201, func(*world, string, side) attempt {
		return attempt{"/api/v1/tokens", object{"name": "x"}}
	}},
	"DELETE /api/v1/tokens/{id}": {own, 204, func(w *world, sender string, _ side) attempt {
		return attempt{path: "/api/v1/tokens/" + w.anyToken(sender)}
	}},

	"GET /api/v1/filter/fields":   {reads, 200, plain("/api/v1/filter/fields")},
	"GET /api/v1/filter/complete": {reads, 200, plain("/api/v1/filter/complete?filter=app:")},
	"GET /api/v1/findings":        {reads, 200, plain("/api/v1/findings")},
	"GET /api/v1/findings/counts": {reads, 200, plain("/api/v1/findings/counts")},
	"GET /api/v1/streams":         {reads, 200, plain("/api/v1/streams")},
	"GET /api/v1/snapshots":       {reads, 200, plain("/api/v1/snapshots")},
	"GET /api/v1/applications":    {reads, 200, plain("/api/v1/applications")},
	"GET /api/v1/refs":            {reads, 200, plain("/api/v1/refs")},
	"GET /api/v1/deployments":     {reads, 200, plain("/api/v1/deployments")},
	"GET /api/v1/assets":          {reads, 200, plain("/api/v1/assets")},
	"GET /api/v1/formats":         {reads, 200, plain("/api/v1/formats")},

	"GET /api/v1/findings/{id}": {readsOne, 200, func(_ *world, _ string, s side) attempt { return attempt{path: "/api/v1/findings/" + s.finding} }},
	"GET /api/v1/imports/{id}":  {readsOne, 200, func(_ *world, _ string, s side) attempt { return attempt{path: "/api/v1/imports/" + s.snapshot} }},
	"GET /api/v1/imports/{id}/events": {readsOne, 200, func(_ *world, _ string, s side) attempt {
		return attempt{path: "/api/v1/imports/" + s.snapshot + "/events"}
	}},
	"GET /api/v1/assets/{id}": {readsOne, 200, func(_ *world, _ string, s side) attempt { return attempt{path: "/api/v1/assets/" + s.asset} }},

	"POST /api/v1/imports": {sends, 202, func(_ *world, _ string, s side) attempt { return attempt{"/api/v1/imports", probe(s, 3)} }},
	"POST /api/v1/decisions": {writes, 201, func(_ *world, _ string, s side) attempt {
		return attempt{"/api/v1/decisions", object{"findings": []string{s.finding}, "verdict": "triaged"}}
	}},
	"POST /api/v1/decisions/preview": {writes, 200, func(_ *world, _ string, s side) attempt {
		return attempt{"/api/v1/decisions/preview", object{"findings": []string{s.finding}, "verdict": "triaged"}}
	}},
	"POST /api/v1/refs": {writes, 201, func(_ *world, _ string, s side) attempt {
		return attempt{"/api/v1/refs", object{"target": s.target, "ref": "pr:7", "event": "closed"}}
	}},
	"POST /api/v1/deployments": {writes, 201, func(_ *world, _ string, s side) attempt {
		return attempt{"/api/v1/deployments", object{"application": s.app, "environment": "prod", "version": "sha256:" + s.app}}
	}},
	"POST /api/v1/assets/end": {writes, 201, func(_ *world, _ string, s side) attempt {
		return attempt{"/api/v1/assets/end", object{"kind": "compute", "key": s.host}}
	}},

	"GET /api/v1/rules":          {administers, 200, plain("/api/v1/rules")},
	"PUT /api/v1/rules":          {administers, 200, func(*world, string, side) attempt { return attempt{"/api/v1/rules", object{"document": rules}} }},
	"POST /api/v1/rules/preview": {administers, 200, func(*world, string, side) attempt { return attempt{"/api/v1/rules/preview", object{"document": rules}} }},
	"GET /api/v1/log":            {administers, 200, plain("/api/v1/log")},
	"GET /api/v1/log/{seq}":      {administers, 200, plain("/api/v1/log/1")},
	"POST /api/v1/log/verify":    {administers, 200, plain("/api/v1/log/verify")},
	"GET /api/v1/backup":         {administers, 200, plain("/api/v1/backup")},
	"GET /api/v1/users":          {administers, 200, plain("/api/v1/users")},
	"POST /api/v1/users": {administers, 201, func(w *world, _ string, _ side) attempt {
		return attempt{"/api/v1/users", object{"login": w.fresh("user")}}
	}},
	"GET /api/v1/users/{id}":          {administers, 200, victim("", nil)},
	"DELETE /api/v1/users/{id}":       {administers, 204, victim("", nil)},
	"POST /api/v1/users/{id}/disable": {administers, 204, victim("/disable", nil)},
	"POST /api/v1/users/{id}/enable":  {administers, 204, victim("/enable", nil)},
	"PUT /api/v1/users/{id}/password": {administers, 204, victim("/password", object{"password": password})},
	"PUT /api/v1/users/{id}/role": {administers, 204, func(w *world, sender string, s side) attempt {
		return attempt{victim("/role", nil)(w, sender, s).path, object{"application": s.app, "role": "viewer"}}
	}},
	"POST /api/v1/invites": {administers, 201, func(*world, string, side) attempt {
		return attempt{"/api/v1/invites", object{"role": "admin"}}
	}},
}

// victim is a user to do something to.
func victim(action string, body any) func(*world, string, side) attempt {
	return func(w *world, _ string, _ side) attempt {
		p, err := w.db.CreatePrincipal(w.Context(), store.System(w.ws.ID), store.NewPrincipal{Login: w.fresh("victim")})
		w.must(err)
		return attempt{"/api/v1/users/" + p.Pseudonym + action, body}
	}
}

func (w *world) fresh(name string) string {
	return fmt.Sprintf("%s-%d", name, w.attempts.Add(1))
}

// anyToken makes a token of the sender's own, beside the one it uses.
func (w *world) anyToken(sender string) string {
	p, ok := w.users[sender]
	if !ok {
		p = w.users["viewer"]
	}
	t, err := w.db.CreateToken(w.Context(), store.System(w.ws.ID), store.NewToken{
		Principal: p, Name: "spare", Role: sinew.RoleViewer, Hash: [32]byte([]byte(fmt.Sprintf("%-32s", w.fresh("h")))), Expires: w.db.Now().Add(auth.TokenLife),
	})
	w.must(err)
	return t.PublicID
}

// senders are who asks: his role on the whole workspace, on his application and
// on the foreign one.
var senders = []struct {
	name              string
	all, own, foreign sinew.Role
}{
	{"nobody", "", "", ""},
	{"roleless", "", "", ""},
	{"viewer", "", "viewer", ""},
	{"developer", "", "developer", ""},
	{"unit admin", "", "admin", ""},
	{"mixed", "", "developer", "viewer"},
	{"viewer of all", "viewer", "viewer", "viewer"},
	{"developer of all", "developer", "developer", "developer"},
	{"admin with a viewer's token", "viewer", "viewer", "viewer"},
	{"admin with a token for one application", "", "admin", ""},
	{"admin", "admin", "admin", "admin"},
}

// want is the status that a sender gets for something on which he has the role
// here; most is his greatest role anywhere.
func (e expectation) want(signedIn bool, all, here, most sinew.Role) int {
	deny := func(need sinew.Role, hidden int) int {
		switch {
		case here.Allows(need):
			return e.ok
		case !most.Allows(need) || here.Allows(sinew.RoleViewer):
			return http.StatusForbidden
		}
		return hidden
	}
	switch {
	case e.class == public:
		return e.ok
	case !signedIn:
		return http.StatusUnauthorized
	}
	switch e.class {
	case own:
		return e.ok
	case reads:
		if most.Allows(sinew.RoleViewer) {
			return e.ok
		}
		return http.StatusForbidden
	case readsOne:
		return deny(sinew.RoleViewer, http.StatusNotFound)
	case sends:
		return deny(sinew.RoleDeveloper, http.StatusForbidden)
	case writes:
		return deny(sinew.RoleDeveloper, http.StatusNotFound)
	default: // administers
	}
	if all.Allows(sinew.RoleAdmin) {
		return e.ok
	}
	return http.StatusForbidden
}

// TestEveryRouteAndRole tries every route as every sender on an application of
// his and on a foreign one (TRU1), and looks in every answer for what the sender
// may not see.
func TestEveryRouteAndRole(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for _, route := range slices.Sorted(maps.Keys(w.server.routes)) {
			e, ok := expectations[route]
			if !ok {
				t.Errorf("%s has no expectation: add one to expectations", route)
				continue
			}
			for _, s := range senders {
				most := s.own
				if s.all.Allows(most) {
					most = s.all
				}
				w.try(route, e, s.name, w.own, e.want(s.name != "nobody", s.all, s.own, most), s.foreign == "")
				if e.class == public || e.class == own {
					continue // it is about no application
				}
				w.try(route, e, s.name, w.foreign, e.want(s.name != "nobody", s.all, s.foreign, most), s.foreign == "")
			}
		}
		for route := range expectations {
			if !w.server.routes[route] {
				t.Errorf("%s is expected and is no route", route)
			}
		}
	})
}

// try makes one attempt. blind says that the sender may see nothing of the
// foreign application.
func (w *world) try(route string, e expectation, sender string, s side, want int, blind bool) {
	w.Helper()
	method, _, _ := strings.Cut(route, " ")
	a := e.try(w, sender, s)
	if route == "POST /api/v1/tokens" && sender == "roleless" {
		want = http.StatusForbidden // a token of nothing
	}
	got := w.do(sender, method, a.path, a.body)
	if got.status != want {
		w.Errorf("%s as %s on %s: %d, want %d: %.300s", route, sender, s.app, got.status, want, got.body)
	}
	if got.status >= 400 && got.header.Get("Content-Type") != "application/problem+json" {
		w.Errorf("%s as %s: an error as %s", route, sender, got.header.Get("Content-Type"))
	}
	if !blind {
		return
	}
	asked, err := json.Marshal(a.body)
	w.must(err)
	for _, marker := range []string{
		w.foreign.finding, w.foreign.snapshot, w.foreign.asset, w.foreign.target, w.foreign.host, w.foreign.app, "marker of bank", "bank-rule",
	} {
		said := strings.Contains(a.path, marker) || strings.Contains(string(asked), marker)
		if strings.Contains(string(got.body), marker) && !said {
			w.Errorf("%s as %s tells of %q: %.500s", route, sender, marker, got.body)
		}
	}
}

// TestUnlistedRouteIsDenied holds the default: a route that the table does not
// name keeps the server from starting.
func TestUnlistedRouteIsDenied(t *testing.T) {
	routes := map[string]bool{}
	for route := range access {
		routes[route] = true
	}
	if err := checkAccess(routes); err != nil {
		t.Fatal(err)
	}
	routes["GET /api/v1/secrets"] = true
	if err := checkAccess(routes); err == nil || !strings.Contains(err.Error(), "GET /api/v1/secrets is not in the table") {
		t.Errorf("a route without an entry: %v", err)
	}
	delete(routes, "GET /api/v1/secrets")
	delete(routes, "GET /api/v1/findings")
	if err := checkAccess(routes); err == nil || !strings.Contains(err.Error(), "GET /api/v1/findings, which is no route") {
		t.Errorf("an entry without a route: %v", err)
	}
	for route, n := range access {
		if n.scope != anyone && n.scope != signedIn && n.met(sinew.Reader{Workspace: 1}) == nil {
			t.Errorf("%s is open to who has no role", route)
		}
	}
	if (need{}).met(sinew.Reader{All: sinew.RoleAdmin}) == nil {
		t.Error("the empty need is met")
	}
}
