package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/auth/openid/openidtest"
	"github.com/sinewsec/sinew/internal/sinew"
)

// TestSignInByProvider goes the way of a browser to a real provider and back:
// from the settings that an administrator makes to the sign-out (TRU1).
func TestSignInByProvider(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		p := openidtest.Start(t, w.http.URL+"/auth/work/callback", w.http.URL+"/signin", 2*time.Minute)
		p.People(map[string]openidtest.Claims{
			"ann": {"name": "Ann Person", "preferred_username": "ann", "groups": []string{"shop-dev"}}, // there is a local ann, who is another
			"eve": {"groups": []string{"visitors"}},
		})

		// Settings: the client secret goes in and never out (TRU6).
		settings := object{
			"id": "work", "name": "Sign in with work", "issuer": p.Issuer, "client_id": p.ClientID, "client_secret": p.ClientSecret,
			"scopes": []string{"profile", "groups"}, "enabled": true,
			"mappings": []object{{"group": "shop-dev", "role": "developer", "application": "shop"}},
		}
		var made provider
		a := w.ok("admin", "POST", "/api/v1/providers", settings, &made)
		if !made.HasSecret || made.Callback != w.http.URL+"/auth/work/callback" || made.GroupsClaim != "groups" || made.LoginClaim != "preferred_username" {
			t.Errorf("made %+v", made)
		}
		answers := string(a.body)
		var test providerTest
		a = w.ok("admin", "POST", "/api/v1/providers/work/test", nil, &test)
		if !test.OK || len(test.Checks) < 4 {
			t.Errorf("test %+v", test)
		}
		answers += string(a.body) + string(w.ok("admin", "GET", "/api/v1/providers", nil, nil).body) + string(w.ok("admin", "GET", "/api/v1/providers/work", nil, nil).body)
		delete(settings, "id")
		delete(settings, "client_secret")
		a = w.ok("admin", "PUT", "/api/v1/providers/work", settings, &made)
		if answers += string(a.body); !made.HasSecret || strings.Contains(answers, p.ClientSecret) {
			t.Error("the secret is lost, or was told")
		}
		settings["issuer"] = "http://login.example.org"
		w.problem("admin", "PUT", "/api/v1/providers/work", settings, 400)
		var ways signInWays
		w.ok("nobody", "GET", "/api/v1/session/providers", nil, &ways)
		if !ways.Password || len(ways.Items) != 1 || ways.Items[0] != (signInWay{"work", "Sign in with work"}) {
			t.Errorf("ways %+v", ways)
		}

		// signIn goes to the provider and back, and gives where it ends.
		signIn := func(subject string) (answer, string) {
			t.Helper()
			start := w.do("nobody", "GET", "/auth/work/start?return="+url.QueryEscape("/findings?filter=is:open"), nil)
			kept := only(t, start, flowCookie)
			if start.status != http.StatusFound || !kept.HttpOnly || kept.SameSite != http.SameSiteLaxMode || kept.MaxAge != 600 || !strings.HasPrefix(start.header.Get("Location"), p.Issuer) {
				t.Fatalf("start: %d %+v, to %s", start.status, kept, start.header.Get("Location"))
			}
			q, err := url.Parse(start.header.Get("Location"))
			w.must(err)
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if q.Query().Get(name) == "" {
					t.Errorf("the provider is sent no %s", name)
				}
			}
			if q.Query().Get("code_challenge_method") != "S256" || q.Query().Get("response_type") != "code" {
				t.Errorf("the provider is asked %s", q.RawQuery)
			}
			back := p.SignIn(start.header.Get("Location"), subject)
			return w.do("nobody", "GET", back.RequestURI(), nil, "Cookie", flowCookie+"="+kept.Value), back.RequestURI()
		}
		in, uri := signIn("ann")
		if in.status != http.StatusFound || in.header.Get("Location") != "/findings?filter=is:open" {
			t.Fatalf("ann comes back: %d to %s\n%s", in.status, in.header.Get("Location"), w.log)
		}
		if gone := only(t, in, flowCookie); gone.MaxAge >= 0 {
			t.Errorf("the sign-in is kept: %+v", gone)
		}
		w.browsers["ann"] = only(t, in, sessionCookie).Value
		var who sessionInfo
		w.users["ann"] = "" // known by the cookie alone
		w.ok("ann"+inBrowser, "GET", "/api/v1/session", nil, &who)
		if who.User.Login != "ann" || who.User.Name != "Ann Person" || who.Role != "" || who.Grants["shop"] != sinew.RoleDeveloper || len(who.Grants) != 1 ||
			who.Provider != "work" || who.Logout != "/auth/work/logout" || who.CSRF == "" {
			t.Errorf("ann is %+v", who)
		}
		var all list[user]
		w.ok("admin", "GET", "/api/v1/users", nil, &all)
		anns := 0
		for _, u := range all.Items {
			if u.Login != "ann" {
				continue
			}
			if anns++; u.Issuer != "" && (u.ID != who.User.ID || u.ByGroups == nil || u.ByGroups.Grants["shop"] != sinew.RoleDeveloper || len(u.Grants) != 0) {
				t.Errorf("ann of the provider is %+v", u)
			}
		}
		if anns != 2 {
			t.Errorf("there are %d anns: one has a password, the other comes from the provider", anns)
		}
		w.problem("admin", "PUT", "/api/v1/users/"+who.User.ID+"/password", object{"password": password}, 400)

		// What goes wrong ends on a page that says why.
		failed := func(a answer, code string) {
			t.Helper()
			to, err := url.Parse(a.header.Get("Location"))
			w.must(err)
			if a.status != http.StatusFound || to.Path != "/signin" || to.Query().Get("error") != code || to.Query().Get("request") != a.header.Get("X-Request-Id") {
				t.Errorf("%d to %s, want the code %s", a.status, to, code)
			}
			for _, c := range (&http.Response{Header: a.header}).Cookies() {
				if c.Name == sessionCookie {
					t.Errorf("%s, and signed in", code)
				}
			}
		}
		failed(w.do("nobody", "GET", uri, nil), "state")
		failed(w.do("nobody", "GET", "/auth/none/start", nil), "unknown_provider")
		eve, _ := signIn("eve")
		failed(eve, "no_role")
		w.ok("admin", "POST", "/api/v1/users/"+who.User.ID+"/disable", nil, nil)
		w.problem("nobody", "GET", "/api/v1/session", nil, 401, "Cookie", sessionCookie+"="+w.browsers["ann"])
		out, _ := signIn("ann")
		failed(out, "disabled")

		if to := w.do("nobody", "GET", "/auth/work/logout", nil).header.Get("Location"); !strings.HasPrefix(to, p.Issuer+"/session/end?") || !strings.Contains(to, url.QueryEscape(w.http.URL+"/signin")) {
			t.Errorf("signs out at %s", to)
		}
		p.Stop()
		w.ok("admin", "DELETE", "/api/v1/providers/work", nil, nil)
		if to := w.do("nobody", "GET", "/auth/work/logout", nil).header.Get("Location"); to != w.http.URL+"/signin" {
			t.Errorf("without the provider: signs out at %s", to)
		}
		brought, err := url.Parse(uri)
		w.must(err)
		for _, secret := range []string{p.ClientSecret, brought.Query().Get("code"), brought.Query().Get("state")} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the server's log has %s", secret)
			}
		}
	})
}
