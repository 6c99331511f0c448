package server

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestOtherSitesChangeNothing tries every route that may change something, as
// another site would make a browser of an administrator try (TRU1).
func TestOtherSitesChangeNothing(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		own := w.http.URL
		w.browser("viewer")
		_, foreign := w.browser("viewer")
		_, right := w.browser("admin")
		for _, route := range slices.Sorted(maps.Keys(access)) {
			method, _, _ := strings.Cut(route, " ")
			if !changes(method) {
				continue
			}
			e := expectations[route]
			path := strings.NewReplacer("{id}", "x", "{invite}", "x").Replace(strings.TrimPrefix(route, method+" "))
			for _, tc := range []struct {
				name               string
				csrf, site, origin string
				open               bool // a route for anyone does not ask for it: nobody is signed in there by a cookie
			}{
				{name: "nothing but the cookie", open: true},
				{name: "no header", site: "same-origin", open: true},
				{name: "another session's header", csrf: foreign, site: "same-origin", open: true},
				{name: "a header that is nearly right", csrf: right + "a", site: "same-origin", open: true},
				{name: "the header, and nobody knows where from", csrf: right, open: true},
				{name: "another site", csrf: right, site: "cross-site", origin: "https://evil.example.org"},
				{name: "a site beside us", csrf: right, site: "same-site"},
				{name: "another origin", csrf: right, origin: "https://evil.example.org"},
				{name: "another port", csrf: right, origin: "http://127.0.0.1:1"},
				{name: "our origin by another scheme", csrf: right, origin: strings.Replace(own, "http:", "https:", 1)},
				{name: "a hidden origin", csrf: right, origin: "null"},
			} {
				if tc.open && e.class == public {
					continue
				}
				got := w.do("admin"+inBrowser, method, path, object{}, csrfHeader, tc.csrf, "Sec-Fetch-Site", tc.site, "Origin", tc.origin)
				if got.status != http.StatusForbidden {
					w.Errorf("%s with %s: %d %s", route, tc.name, got.status, got.body)
				}
			}
			// With both it passes, whichever way the browser tells of its origin.
			a := e.try(w, "admin", w.own)
			if got := w.do("admin"+inBrowser, method, a.path, a.body, "Sec-Fetch-Site", "", "Origin", own); got.status != e.ok {
				w.Errorf("%s by a page of ours: %d %s, want %d", route, got.status, got.body, e.ok)
			}
		}
		// A token is sent by who has it: no cookie, no origin, no header.
		secret, _ := w.browser("viewer")
		var who sessionInfo
		w.ok("admin", "GET", "/api/v1/session", nil, &who, "Cookie", sessionCookie+"="+secret, "Origin", "https://evil.example.org")
		if who.User.ID != w.users["admin"] || who.CSRF != "" {
			t.Errorf("a token and a cookie are %+v", who)
		}
		w.problem("nobody", "GET", "/api/v1/session", nil, 401, "Authorization", "Bearer wrong", "Cookie", sessionCookie+"="+secret)
	})
}

// TestBrowserSession follows a browser from the sign-in to the end (TRU1).
func TestBrowserSession(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		login := object{"login": "viewer", "password": password}
		page := []string{"Sec-Fetch-Site", "same-origin", "User-Agent", "Browser/1.0"}
		w.problem("nobody", "POST", "/api/v1/session", object{"login": "viewer", "password": "wrong"}, 401)
		w.problem("nobody", "POST", "/api/v1/session", login, 403, "Sec-Fetch-Site", "cross-site") // nobody is signed in as somebody else
		var in, now sessionInfo
		a := w.ok("nobody", "POST", "/api/v1/session", login, &in, page...)
		cookie := only(t, a, sessionCookie)
		if !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != 7*24*3600 || cookie.Domain != "" {
			t.Errorf("cookie %+v", cookie)
		}
		if in.User.ID != w.users["viewer"] || in.User.Login != "viewer" || in.Workspace != "default" || in.Role != "" || in.Grants["shop"] != sinew.RoleViewer ||
			in.CSRF == "" || in.Provider != "" || in.Expires.IsZero() {
			t.Errorf("session %+v", in)
		}
		w.browsers["viewer"] = cookie.Value
		w.ok("viewer"+inBrowser, "GET", "/api/v1/session", nil, &now)
		if now.User != in.User || now.CSRF != in.CSRF || !now.Expires.Equal(in.Expires) {
			t.Errorf("signed in as %+v, is %+v", in, now)
		}

		// No fixation: a cookie that was there before is not taken over.
		a = w.ok("nobody", "POST", "/api/v1/session", login, nil, append(page, "Cookie", sessionCookie+"="+cookie.Value)...)
		if again := only(t, a, sessionCookie); again.Value == cookie.Value {
			t.Error("the secret was there before the sign-in")
		} else {
			w.browsers["other"], w.users["other"] = again.Value, w.users["viewer"]
		}
		var list list[sessionRow]
		w.ok("viewer"+inBrowser, "GET", "/api/v1/sessions", nil, &list)
		if len(list.Items) != 2 || list.Items[0].Current == list.Items[1].Current || list.Items[0].Agent != "Browser/1.0" || list.Items[0].Address == "" || list.Items[0].User.Login != "viewer" {
			t.Errorf("sessions %+v", list.Items)
		}
		w.problem("developer", "DELETE", "/api/v1/sessions/"+list.Items[0].ID, nil, 404)

		// What an administrator does holds at once.
		w.ok("admin", "PUT", "/api/v1/users/"+w.users["viewer"]+"/role", object{"role": "", "application": "shop"}, nil)
		w.problem("viewer"+inBrowser, "GET", "/api/v1/findings", nil, 403)
		w.ok("admin", "PUT", "/api/v1/users/"+w.users["viewer"]+"/role", object{"role": "developer", "application": "shop"}, nil)
		w.ok("viewer"+inBrowser, "GET", "/api/v1/findings", nil, nil)
		// The password changes in one browser: the other is out.
		w.ok("viewer"+inBrowser, "PUT", "/api/v1/me/password", object{"old": password, "new": "closed sesame, now"}, nil)
		if a := w.do("nobody", "GET", "/api/v1/session", nil, "Cookie", sessionCookie+"="+w.browsers["other"]); a.status != 401 {
			t.Errorf("the other browser: %d", a.status)
		}
		w.ok("viewer"+inBrowser, "GET", "/api/v1/session", nil, &now)

		a = w.ok("viewer"+inBrowser, "DELETE", "/api/v1/session", nil, nil)
		if gone := only(t, a, sessionCookie); gone.MaxAge >= 0 || gone.Value != "" {
			t.Errorf("signed out, and the cookie is %+v", gone)
		}
		if a := w.do("nobody", "GET", "/api/v1/session", nil, "Cookie", sessionCookie+"="+cookie.Value); a.status != 401 {
			t.Errorf("signed out: %d", a.status)
		}
		for _, secret := range []string{cookie.Value, in.CSRF} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the server's log has %s", secret)
			}
		}

		// Failed and good sign-ins are entries of the log, without names.
		var text strings.Builder
		for e, err := range w.db.Entries(t.Context(), w.ws.ID, 0) {
			w.must(err)
			if e.Kind == sinew.EntryAccess {
				text.Write(e.Payload)
			}
		}
		for _, want := range []string{`"op":"session"`, `"op":"session_end"`, `"op":"refused","principal":"` + w.users["viewer"] + `","reason":"password"`} {
			if !strings.Contains(strings.ReplaceAll(text.String(), `"schema":"access/v1",`, ""), want) {
				t.Errorf("the log does not have %s", want)
			}
		}
	})
}

// only gives the one cookie of that name that an answer sets.
func only(t *testing.T, a answer, name string) *http.Cookie {
	t.Helper()
	var found []*http.Cookie
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the cookie %s is set %d times: %q", name, len(found), a.header.Values("Set-Cookie"))
	}
	return found[0]
}

// TestSessionRotates gives a browser another secret every half hour, by a clock
// that the test moves.
func TestSessionRotates(t *testing.T) {
	now := time.Now().Add(-48 * time.Hour)
	db, err := store.Open(t.Context(), t.TempDir()+"/s.db", store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ws, err := db.CreateWorkspace(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(t.Context(), db, slog.New(slog.DiscardHandler), func(string) []byte { return make([]byte, 32) })
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Store: db, Auth: a, Workspace: ws})
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.CreatePrincipal(t.Context(), store.System(ws.ID), store.NewPrincipal{Login: "ann", PasswordHash: "h", All: sinew.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := a.BeginSession(t.Context(), p.Reader(ws.ID), "", netip.MustParseAddr("192.0.2.1"), "x")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(secret string) (status int, next string) {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/me", nil)
		req.AddCookie(&http.Cookie{Name: sessionCookie, Value: secret})
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		for _, c := range w.Result().Cookies() {
			next = c.Value
		}
		return w.Code, next
	}
	expect := func(what, secret string, want int, renewed bool) string {
		t.Helper()
		status, next := ask(secret)
		if status != want || (next != "") != renewed {
			t.Errorf("%s: %d, a new secret %t", what, status, next != "")
		}
		return next
	}
	expect("at first", first, 200, false)
	now = now.Add(auth.RotateEvery + time.Second)
	second := expect("after half an hour", first, 200, true)
	expect("the old secret, in requests at the same time", first, 200, false)
	now = now.Add(2 * time.Minute)
	third := expect("the answer with the new secret was lost", first, 200, true)
	expect("the one that was lost", second, 401, false)
	expect("the new one", third, 200, false)
	now = now.Add(2 * time.Minute)
	expect("the old one, after the new one was shown", first, 401, false)
	expect("the new one", third, 200, false)
	now = now.Add(store.SessionIdle + time.Second)
	expect("after a night", third, 401, false)
	expect("what is no secret", "x", 401, false)
}

// TestSecureBrowsers looks at what browsers are told under TLS, past a proxy
// that is ours and past one that is not.
func TestSecureBrowsers(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "page "+r.URL.Path) })
	var conf Config
	newWorld(t, t.TempDir()+"/s.db", func(c *Config) { conf = *c })
	conf.Pages, conf.RequireTLS, conf.Proxies = pages, true, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	secure, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, target, peer string, tls bool, headers ...string) *httptest.ResponseRecorder {
		scheme := map[bool]string{true: "https", false: "http"}[tls]
		req := httptest.NewRequestWithContext(t.Context(), method, scheme+"://sinew.example.org"+target, strings.NewReader(`{"login":"ann","password":"`+password+`"}`))
		req.RemoteAddr = peer + ":1234"
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		secure.Handler().ServeHTTP(rec, req)
		return rec
	}
	for _, tc := range []struct {
		name, peer, proto string
		tls, secure       bool
	}{
		{"TLS to us", "192.0.2.1", "", true, true},
		{"TLS to a proxy of ours", "10.1.1.1", "https", false, true},
		{"TLS to a proxy before ours, and not to ours", "10.1.1.1", "https, http", false, false},
		{"a proxy of ours that says nothing", "10.1.1.1", "", false, false},
		{"somebody who says that he is a proxy", "192.0.2.1", "https", false, false},
	} {
		rec := ask("POST", "/api/v1/session", tc.peer, tc.tls, "X-Forwarded-Proto", tc.proto, "Origin", "https://sinew.example.org")
		if !tc.secure {
			if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "https only") {
				t.Errorf("%s: %d %s", tc.name, rec.Code, rec.Body)
			}
			if rec := ask("GET", "/health/live", tc.peer, tc.tls); rec.Code != 200 {
				t.Errorf("%s: health %d", tc.name, rec.Code)
			}
			continue
		}
		c := rec.Result().Cookies()
		if rec.Code != 200 || len(c) != 1 || c[0].Name != "__Host-sinew" || !c[0].Secure || !c[0].HttpOnly || c[0].Path != "/" {
			t.Errorf("%s: %d %+v %s", tc.name, rec.Code, c, rec.Body)
		}
		if rec.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: no HSTS", tc.name)
		}
		// The name without the prefix could have been set by a neighbour.
		for name, want := range map[string]int{"__Host-sinew": 200, "sinew": 401} {
			if rec := ask("GET", "/api/v1/session", tc.peer, tc.tls, "X-Forwarded-Proto", tc.proto, "Cookie", name+"="+c[0].Value); rec.Code != want {
				t.Errorf("%s: the cookie %s gives %d", tc.name, name, rec.Code)
			}
		}
	}
	// A load balancer that says nothing of TLS: its address does.
	conf.RequireTLS, conf.PublicURL = false, "https://sinew.example.org/"
	if secure, err = New(conf); err != nil {
		t.Fatal(err)
	}
	rec := ask("POST", "/api/v1/session", "192.0.2.1", false, "Origin", "https://sinew.example.org")
	if c := rec.Result().Cookies(); rec.Code != 200 || len(c) != 1 || c[0].Name != "__Host-sinew" || !c[0].Secure {
		t.Errorf("by the address that browsers use: %d %+v", rec.Code, c)
	}
	if rec := ask("POST", "/api/v1/session", "192.0.2.1", false, "Origin", "http://sinew.example.org"); rec.Code != http.StatusForbidden {
		t.Errorf("from the same host in clear: %d", rec.Code)
	}
	for path, page := range map[string]bool{"/": true, "/findings/f123": true, "/assets/app.js": true, "/api/v1/nothing": false, "/api": false, "/auth/x/y": false, "/health/x": false} {
		rec := ask("GET", path, "192.0.2.1", true)
		csp := rec.Header().Get("Content-Security-Policy")
		if page != (rec.Body.String() == "page "+path) || page != strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %d %.100s, policy %s", path, rec.Code, rec.Body, csp)
		}
	}
	if rec := ask("POST", "/findings", "192.0.2.1", true); rec.Code != http.StatusNotFound {
		t.Errorf("POST to a page: %d", rec.Code)
	}
}
