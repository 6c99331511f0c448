package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// world is a server on a database with two applications, of which most senders
// may see one, and findings in both.
type world struct {
	testing.TB
	db     *store.DB
	ws     sinew.Workspace
	auth   *auth.Auth
	server *Server
	http   *httptest.Server
	log    *lockedBuffer

	own, foreign side
	hash         string // of password
	attempts     *atomic.Int64
	tokens       map[string]string // by sender
	browsers     map[string]string // secrets of sessions, by sender
	users        map[string]string // pseudonyms, by sender
}

// side is what is known of one application.
type side struct {
	app, target, host string
	unit              int64
	finding, snapshot string
	asset             string
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// both runs a test in a world on each database. Nothing is skipped. One after the
// other: the race detector, which does not look into the embedded database, once
// took the first encoding of an outcome by two projectors at the same moment,
// inside encoding/json, for a race.
func both(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		fn(t, newWorld(t, filepath.Join(t.TempDir(), "s.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, newWorld(t, pgtest.URL(t)))
	})
}

const password = "correct horse battery"

const rules = `schema: rules/v1
applications:
  - name: shop
    match: [{target: git.example.org/shop/**}, {host: "*.shop.example.org"}]
  - name: bank
    match: [{target: git.example.org/bank/**}, {host: "*.bank.example.org"}]
`

func newWorld(t *testing.T, dsn string, more ...func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, log: &lockedBuffer{}, attempts: new(atomic.Int64), tokens: map[string]string{"nobody": ""}, users: map[string]string{}, browsers: map[string]string{}}
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.db, err = store.Open(t.Context(), dsn, store.Options{Logger: logger, Version: "test"})
	w.must(err)
	t.Cleanup(func() { w.must(w.db.Close()) })
	w.ws, err = w.db.CreateWorkspace(t.Context(), "default")
	w.must(err)
	engine, err := format.New(formats.Files)
	w.must(err)
	keys, err := pipeline.NewKeys(bytes.Repeat([]byte{7}, 32))
	w.must(err)
	p := pipeline.New(w.db, pipeline.Options{Parser: pipeline.InProcess{Engine: engine}, Keys: keys, SpoolDir: t.TempDir(), Purpose: "test"})
	w.auth, err = auth.New(t.Context(), w.db, logger, keys.Access)
	w.must(err)
	c := Config{
		Store: w.db, Pipeline: p, Engine: engine, Auth: w.auth, Workspace: w.ws, Version: "1.2.3", Logger: logger, MaxUpload: 1 << 20,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Backup:  func(ctx context.Context, out io.Writer) error { _, err := w.db.Backup(ctx, out, nil); return err },
	}
	for _, m := range more {
		m(&c)
	}
	w.server, err = New(c)
	w.must(err)
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(w.http.Close)

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.db.RunJobs(ctx, p.Project) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("jobs: %v", err)
		}
	})

	_, err = w.auth.CreateUser(t.Context(), store.System(w.ws.ID), auth.NewUser{Login: "ann", Password: password})
	w.must(err)
	ann, err := w.db.PrincipalByLogin(t.Context(), w.ws.ID, "ann")
	w.must(err)
	w.hash = ann.PasswordHash
	w.token("admin", sinew.RoleAdmin, nil, auth.TokenRequest{})
	w.ok("admin", "PUT", "/api/v1/rules", map[string]string{"document": rules}, nil)
	w.own = w.fill("shop")
	w.foreign = w.fill("bank")
	w.token("viewer", "", map[int64]sinew.Role{w.own.unit: sinew.RoleViewer}, auth.TokenRequest{})
	w.token("developer", "", map[int64]sinew.Role{w.own.unit: sinew.RoleDeveloper}, auth.TokenRequest{})
	w.token("unit admin", "", map[int64]sinew.Role{w.own.unit: sinew.RoleAdmin}, auth.TokenRequest{})
	w.token("mixed", "", map[int64]sinew.Role{w.own.unit: sinew.RoleDeveloper, w.foreign.unit: sinew.RoleViewer}, auth.TokenRequest{})
	w.token("viewer of all", sinew.RoleViewer, nil, auth.TokenRequest{})
	w.token("developer of all", sinew.RoleDeveloper, nil, auth.TokenRequest{})
	w.token("admin with a viewer's token", sinew.RoleAdmin, nil, auth.TokenRequest{Role: sinew.RoleViewer})
	w.token("admin with a token for one application", sinew.RoleAdmin, nil, auth.TokenRequest{Units: []int64{w.own.unit}})
	w.roleless()
	return w
}

// inBrowser follows the name of a sender who shows the cookie of a session
// instead of a token.
const inBrowser = " in a browser"

// browser gives the secret of a sender's session, and what its pages say. One
// that has ended is begun anew.
func (w *world) browser(who string) (secret, csrf string) {
	w.Helper()
	id, _, err := w.auth.BySession(w.Context(), w.browsers[who])
	if err != nil {
		r, err := w.db.ReaderFor(w.Context(), w.ws.ID, w.users[who])
		w.must(err)
		w.browsers[who], _, err = w.auth.BeginSession(w.Context(), r, "", netip.Addr{}, "")
		w.must(err)
		id, _, err = w.auth.BySession(w.Context(), w.browsers[who])
		w.must(err)
	}
	csrf, err = w.auth.CSRF(id.Session)
	w.must(err)
	return w.browsers[who], csrf
}

// asBrowser makes a request what a page of ours would send.
func (w *world) asBrowser(who string, req *http.Request) {
	w.Helper()
	secret, csrf := w.browser(who)
	req.AddCookie(&http.Cookie{Name: sessionCookie, Value: secret})
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if changes(req.Method) {
		req.Header.Set(csrfHeader, csrf)
	}
}

// run runs a part of a test in the same world.
func (w *world) run(t *testing.T, name string, fn func(*testing.T, *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		part := *w
		part.TB = t
		fn(t, &part)
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// token makes a principal and a token of it.
func (w *world) token(sender string, all sinew.Role, grants map[int64]sinew.Role, req auth.TokenRequest) {
	w.Helper()
	p := w.principal(sender, all, grants)
	r, err := w.db.ReaderFor(w.Context(), w.ws.ID, p)
	w.must(err)
	req.Name = sender
	w.tokens[sender], _, err = w.auth.NewToken(w.Context(), auth.Identity{Reader: r}, req)
	w.must(err)
}

func (w *world) principal(sender string, all sinew.Role, grants map[int64]sinew.Role) string {
	w.Helper()
	p, err := w.db.CreatePrincipal(w.Context(), store.System(w.ws.ID), store.NewPrincipal{
		Login: strings.ReplaceAll(sender, " ", "-"), All: all, Grants: grants, PasswordHash: w.hash,
	})
	w.must(err)
	w.users[sender] = p.Pseudonym
	return p.Pseudonym
}

// roleless is somebody who is signed in and may nothing.
func (w *world) roleless() {
	w.Helper()
	p := w.principal("roleless", "", nil)
	var err error
	w.tokens["roleless"], _, err = w.auth.SignInToken(w.Context(), sinew.Reader{Workspace: w.ws.ID, Principal: p})
	w.must(err)
}

// probe is a report in the generic format about one application: n findings in
// files, one on a machine, and the machine as an asset.
func probe(s side, n int) string {
	type m = map[string]any
	findings := []m{}
	for i := range n {
		findings = append(findings, m{
			"rule": fmt.Sprintf("%s-rule-%d", s.app, i+1), "title": fmt.Sprintf("marker of %s %d", s.app, i+1), "severity": "high",
			"file": fmt.Sprintf("src/%s/%d.go", s.app, i+1), "line": i + 1,
		})
	}
	findings = append(findings, m{"rule": s.app + "-port", "title": "marker of " + s.app + " on its machine", "severity": "low", "host": s.host})
	b, err := json.Marshal(m{
		"schema": "generic/v1", "tool": "probe", "target": s.target, "ref": "main", "findings": findings,
		"assets": []m{{"kind": "compute", "key": s.host}, {"kind": "repo", "key": s.target}},
	})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// fill imports a report about an application.
func (w *world) fill(app string) side {
	w.Helper()
	s := side{app: app, target: "git.example.org/" + app + "/api", host: "web-1." + app + ".example.org"}
	var got importInfo
	w.ok("admin", "POST", "/api/v1/imports?wait=true&name=probe.json", probe(s, 3), &got)
	if got.State != "projected" || got.Observations != 4 {
		w.Fatalf("import of %s = %+v", app, got)
	}
	s.snapshot = got.ID
	var findings list[sinew.Finding]
	w.ok("admin", "GET", "/api/v1/findings?filter="+url.QueryEscape("app:"+app), nil, &findings)
	if len(findings.Items) != 4 {
		w.Fatalf("%s has %d findings", app, len(findings.Items))
	}
	s.finding = findings.Items[0].ID
	var assets list[AssetInfo]
	w.ok("admin", "GET", "/api/v1/assets?filter=compute&text="+s.host, nil, &assets)
	if len(assets.Items) != 1 {
		w.Errorf("%s has the assets %+v", app, assets)
		s.asset = "a" + app
	} else {
		s.asset = assets.Items[0].ID
	}
	unit, err := w.db.UnitByName(w.Context(), store.System(w.ws.ID), app)
	w.must(err)
	s.unit = unit
	return s
}

// brokenJSON is sent as it is.
type brokenJSON string

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request. A string is a body of bytes, anything else but nil is one
// of JSON. Headers are given as name, value.
func (w *world) do(sender, method, path string, in any, headers ...string) answer {
	w.Helper()
	var body io.Reader
	contentType := ""
	switch in := in.(type) {
	case nil:
	case string:
		body, contentType = strings.NewReader(in), "application/octet-stream"
	case brokenJSON:
		body, contentType = strings.NewReader(string(in)), "application/json"
	case url.Values:
		body, contentType = strings.NewReader(in.Encode()), "application/x-www-form-urlencoded"
	case io.Reader:
		body, contentType = in, "application/octet-stream"
	default:
		b, err := json.Marshal(in)
		w.must(err)
		body, contentType = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+path, body)
	w.must(err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	// Each from somewhere else, or the limit of attempts to sign in is reached.
	n := w.attempts.Add(1)
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", n/250, n%250))
	token, known := w.tokens[sender]
	if !known && !strings.HasSuffix(sender, inBrowser) {
		w.Fatalf("there is no sender %q", sender)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if who, ok := strings.CutSuffix(sender, inBrowser); ok {
		w.asBrowser(who, req)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	w.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	w.must(err)
	return answer{res.StatusCode, res.Header, b}
}

// ok sends a request that has to succeed, and decodes the answer.
func (w *world) ok(sender, method, path string, in, out any, headers ...string) answer {
	w.Helper()
	a := w.do(sender, method, path, in, headers...)
	if a.status >= 300 {
		w.Fatalf("%s %s: %d %s\n%s", method, path, a.status, a.body, w.log)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// problem sends a request that has to fail so, and gives what is said.
func (w *world) problem(sender, method, path string, in any, status int, headers ...string) Problem {
	w.Helper()
	a := w.do(sender, method, path, in, headers...)
	var p Problem
	if a.status != status {
		w.Errorf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	if err := json.Unmarshal(a.body, &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" ||
		p.Status != a.status || p.Code == "" || p.Detail == "" || p.Title == "" || p.RequestID != a.header.Get("X-Request-Id") {
		w.Errorf("%s %s: %s is no problem of ours: %s (%v)", method, path, a.header.Get("Content-Type"), a.body, err)
	}
	return p
}
