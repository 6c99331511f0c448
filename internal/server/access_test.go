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
	"github.com/sinewsec/sinew/internal/filter"
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
	shares                   // who may decide on it; who may only view it is denied, and for others it isn't there
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

	"GET /api/v1/session/providers": {public, 200, plain("/api/v1/session/providers")},
	"POST /api/v1/session": {public, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/session", object{"login": "ann", "password": password}}
	}},
	"GET /auth/{provider}/start":    {public, 302, plain("/auth/none/start?return=/findings")},
	"GET /auth/{provider}/callback": {public, 302, plain("/auth/none/callback?code=x&state=y&more=z")},
	"GET /auth/{provider}/logout":   {public, 302, plain("/auth/none/logout")},

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
	"GET /api/v1/session":    {own, 200, plain("/api/v1/session")},
	"DELETE /api/v1/session": {own, 204, plain("/api/v1/session")},
	"GET /api/v1/sessions":   {own, 200, plain("/api/v1/sessions")},
	"DELETE /api/v1/sessions/{id}": {own, 204, func(w *world, sender string, _ side) attempt {
		return attempt{path: "/api/v1/sessions/" + w.anySession(sender)}
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

	"GET /api/v1/imports":         {reads, 200, plain("/api/v1/imports")},
	"GET /api/v1/findings/groups": {reads, 200, plain("/api/v1/findings/groups?by=file")},
	"GET /api/v1/findings/export": {reads, 200, plain("/api/v1/findings/export?format=json")},
	"GET /api/v1/decisions":       {reads, 200, plain("/api/v1/decisions")},
	"GET /api/v1/coverage":        {reads, 200, plain("/api/v1/coverage")},
	"GET /api/v1/onboarding":      {reads, 200, plain("/api/v1/onboarding")},
	"GET /api/v1/issues":          {reads, 200, plain("/api/v1/issues?state=open,in_progress,done,accepted,gone")},
	"GET /api/v1/views":           {reads, 200, plain("/api/v1/views")},
	"POST /api/v1/views": {reads, 201, func(*world, string, side) attempt {
		return attempt{"/api/v1/views", object{"name": "mine"}}
	}},
	"POST /api/v1/formats/detect": {reads, 200, func(_ *world, _ string, s side) attempt { return attempt{"/api/v1/formats/detect", probe(s, 1)} }},
	"GET /api/v1/findings/{id}/evidence": {readsOne, 200, func(_ *world, _ string, s side) attempt {
		return attempt{path: "/api/v1/findings/" + s.finding + "/evidence"}
	}},
	"GET /api/v1/snapshots/{id}/evidence": {readsOne, 200, func(_ *world, _ string, s side) attempt {
		return attempt{path: "/api/v1/snapshots/" + s.snapshot + "/evidence"}
	}},
	"PUT /api/v1/views/{id}": {shares, 200, func(w *world, _ string, s side) attempt {
		return attempt{"/api/v1/views/" + w.unitView(s), object{"name": "ours", "scope": "unit", "application": s.app}}
	}},
	"DELETE /api/v1/views/{id}": {shares, 204, func(w *world, _ string, s side) attempt {
		return attempt{path: "/api/v1/views/" + w.unitView(s)}
	}},
	"GET /api/v1/dedup/stats": {reads, 200, plain("/api/v1/dedup/stats")},
	"GET /api/v1/scanners":    {reads, 200, plain("/api/v1/scanners")},
	"GET /api/v1/intel":       {reads, 200, plain("/api/v1/intel")},
	"GET /api/v1/links":       {reads, 200, plain("/api/v1/links")},
	"GET /api/v1/dedup/explain": {readsOne, 200, func(w *world, _ string, s side) attempt {
		two := w.twoOf(s)
		return attempt{path: "/api/v1/dedup/explain?a=" + two[0] + "&b=" + two[1]}
	}},
	"POST /api/v1/links": {writes, 201, func(w *world, _ string, s side) attempt {
		return attempt{"/api/v1/links", object{"kind": "different", "findings": w.twoOf(s)}}
	}},
	"POST /api/v1/links/preview": {writes, 200, func(w *world, _ string, s side) attempt {
		return attempt{"/api/v1/links/preview", object{"kind": "same", "findings": w.twoOf(s)}}
	}},
	"POST /api/v1/links/{id}/undo": {writes, 201, func(w *world, _ string, s side) attempt {
		var l accepted
		w.ok("admin", "POST", "/api/v1/links", object{"kind": "different", "findings": w.twoOf(s)}, &l)
		_, err := w.server.pipeline.Wait(w.Context(), w.ws.ID, l.Seq)
		w.must(err)
		return attempt{path: "/api/v1/links/" + l.ID + "/undo"}
	}},
	"POST /api/v1/intel/aliases": {administers, 201, func(*world, string, side) attempt {
		return attempt{"/api/v1/intel/aliases?name=one.json", `{"id":"GHSA-aaaa-bbbb-cccc","aliases":["CVE-2024-1"]}`}
	}},
	"GET /api/v1/issues/{id}": {readsOne, 200, func(w *world, _ string, s side) attempt {
		return attempt{path: "/api/v1/issues/" + w.issueOf(s)}
	}},
	"PATCH /api/v1/issues/{id}": {writes, 200, func(w *world, _ string, s side) attempt {
		return attempt{"/api/v1/issues/" + w.issueOf(s), object{"owner": "team-" + s.app}}
	}},
	"POST /api/v1/decisions/{id}/undo": {writes, 201, func(w *world, _ string, s side) attempt {
		var d accepted
		w.ok("admin", "POST", "/api/v1/decisions", object{"findings": []string{s.finding}, "verdict": "triaged"}, &d)
		_, err := w.server.pipeline.Wait(w.Context(), w.ws.ID, d.Seq)
		w.must(err)
		return attempt{path: "/api/v1/decisions/" + d.ID + "/undo"}
	}},

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
	"GET /api/v1/projection":     {administers, 200, plain("/api/v1/projection")},
	"POST /api/v1/projection/rebuild": {administers, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/projection/rebuild", object{}}
	}},
	"POST /api/v1/projection/rematch": {administers, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/projection/rematch", object{}}
	}},
	"POST /api/v1/projection/remap": {administers, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/projection/remap", object{}}
	}},
	"POST /api/v1/checkpoints": {administers, 201, plain("/api/v1/checkpoints")},
	"GET /api/v1/retention":    {administers, 200, plain("/api/v1/retention")},
	"PUT /api/v1/retention": {administers, 200, func(*world, string, side) attempt {
		return attempt{"/api/v1/retention", object{"kind": "evidence", "days": 400}}
	}},
	"POST /api/v1/retention/apply": {administers, 200, plain("/api/v1/retention/apply")},
	"GET /api/v1/users":            {administers, 200, plain("/api/v1/users")},
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
	"GET /api/v1/providers": {administers, 200, plain("/api/v1/providers")},
	"POST /api/v1/providers": {administers, 201, func(w *world, _ string, _ side) attempt {
		id := w.fresh("corp")
		return attempt{"/api/v1/providers", object{"id": id, "name": "Corp", "issuer": "https://" + id + ".example.org", "client_id": "sinew", "enabled": false}}
	}},
	"GET /api/v1/providers/{id}":       {administers, 200, aProvider("", nil)},
	"PUT /api/v1/providers/{id}":       {administers, 200, aProvider("", object{"name": "Corp", "issuer": deadIssuer, "client_id": "sinew", "enabled": true})},
	"DELETE /api/v1/providers/{id}":    {administers, 204, aProvider("", nil)},
	"POST /api/v1/providers/{id}/test": {administers, 200, aProvider("/test", nil)},
	"POST /api/v1/invites": {administers, 201, func(*world, string, side) attempt {
		return attempt{"/api/v1/invites", object{"role": "admin"}}
	}},
}

// deadIssuer is a provider that does not answer.
const deadIssuer = "http://127.0.0.1:1"

// aProvider is a provider to do something to.
func aProvider(action string, body any) func(*world, string, side) attempt {
	return func(w *world, _ string, _ side) attempt {
		err := w.db.CreateProvider(w.Context(), store.System(w.ws.ID), store.Provider{ID: "corp", Name: "Corp", ProviderSettings: store.ProviderSettings{
			Issuer: deadIssuer, ClientID: "sinew", GroupsClaim: "groups", LoginClaim: "email",
		}})
		if sinew.CodeOf(err) != sinew.CodeConflict { // it is there already
			w.must(err)
		}
		return attempt{"/api/v1/providers/corp" + action, body}
	}
}

// anySession makes a session of the sender's own, beside the one it may use.
func (w *world) anySession(sender string) string {
	p, ok := w.users[sender]
	if !ok {
		p = w.users["viewer"]
	}
	s, err := w.db.CreateSession(w.Context(), sinew.Reader{Workspace: w.ws.ID, Principal: p}, store.NewSession{Hash: [32]byte([]byte(fmt.Sprintf("%-32s", w.fresh("s"))))})
	w.must(err)
	return s.ID
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

// unitView makes a saved view of an application.
func (w *world) unitView(s side) string {
	v, err := w.db.CreateView(w.Context(), store.System(w.ws.ID), store.SavedView{Name: w.fresh("view"), Scope: store.ViewUnit, Application: s.app})
	w.must(err)
	return v.ID
}

// issueOf is an issue of an application.
// twoOf gives two findings of an application.
func (w *world) twoOf(s side) []string {
	q, err := filter.Parse("app:" + s.app)
	w.must(err)
	list, _, err := w.db.Findings(w.Context(), store.System(w.ws.ID), q, store.Page{Limit: 2})
	w.must(err)
	if len(list) < 2 {
		w.Fatalf("%s has %d findings", s.app, len(list))
	}
	return []string{list[0].ID, list[1].ID}
}

func (w *world) issueOf(s side) string {
	list, _, err := w.db.Issues(w.Context(), store.System(w.ws.ID), store.IssueFilter{Applications: []string{s.app}, States: sinew.IssueStates}, store.Page{Limit: 1})
	w.must(err)
	if len(list) == 0 {
		w.Fatalf("%s has no issue", s.app)
	}
	return list[0].ID
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
	case shares:
		if most.Allows(sinew.RoleViewer) && !here.Allows(sinew.RoleViewer) {
			return http.StatusNotFound
		}
		return deny(sinew.RoleDeveloper, http.StatusForbidden)
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
				// By token, and by the cookie of a session where that may do the same.
				names := []string{s.name}
				if _, person := w.users[s.name]; person && !strings.Contains(s.name, "token") {
					names = append(names, s.name+inBrowser)
				}
				for _, name := range names {
					w.try(route, e, name, w.own, e.want(s.name != "nobody", s.all, s.own, most), s.foreign == "")
					if e.class == public || e.class == own {
						continue // it is about no application
					}
					w.try(route, e, name, w.foreign, e.want(s.name != "nobody", s.all, s.foreign, most), s.foreign == "")
				}
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
	who := strings.TrimSuffix(sender, inBrowser)
	a := e.try(w, who, s)
	if route == "POST /api/v1/tokens" && who == "roleless" {
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
