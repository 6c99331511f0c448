package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestBrokenBackupIsBroken keeps half a backup from looking whole.
func TestBrokenBackupIsBroken(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db", func(c *Config) {
		c.Backup = func(_ context.Context, out io.Writer) error {
			out.Write(bytes.Repeat([]byte("x"), 1<<16))
			return fmt.Errorf("disk is gone")
		}
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.http.URL+"/api/v1/backup", nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+w.tokens["admin"])
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("half a backup ends like a whole one")
	}
	if !strings.Contains(w.log.String(), "disk is gone") {
		t.Errorf("the log does not tell why:\n%s", w.log)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	a := w.ok("admin", "GET", "/api/v1/findings", nil, nil, "Origin", "https://evil.example")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"Access-Control-Allow-Origin": "", "Server": "", "Strict-Transport-Security": "",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a.header.Get("X-Request-Id") == "" || !strings.Contains(w.log.String(), a.header.Get("X-Request-Id")) {
		t.Errorf("request id %q is not in the log", a.header.Get("X-Request-Id"))
	}
	if got := w.do("admin", "OPTIONS", "/api/v1/findings", nil, "Origin", "https://evil.example"); got.status < 400 {
		t.Errorf("a pre-flight request is answered with %d", got.status)
	}
	if strings.Contains(string(a.body), "$schema") {
		t.Error("answers have $schema")
	}
	if p := w.problem("nobody", "GET", "/api/v1/findings", nil, 401); p.Next == "" {
		t.Errorf("%+v", p)
	}
	if a := w.do("nobody", "GET", "/api/v1/findings", nil); a.header.Get("WWW-Authenticate") != `Bearer realm="sinew"` {
		t.Errorf("asks for %q", a.header.Get("WWW-Authenticate"))
	}
}

// TestPanic keeps the server alive and the cause out of the answer (TRU4).
func TestPanic(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	h := w.server.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("the inside") //nolint:forbidigo // what is tested
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	var p Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 500 || p.Code != sinew.CodeInternal || strings.Contains(rec.Body.String(), "inside") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if log := w.log.String(); !strings.Contains(log, "the inside") || !strings.Contains(log, p.RequestID) {
		t.Error("the log does not tell of the panic")
	}
}

// TestInsideTheProcess asks as the command line does on a database: with a
// reader and without a token.
func TestInsideTheProcess(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	ask := func(r *sinew.Reader, target string) int {
		req := httptest.NewRequest(http.MethodGet, target, nil)
		if r != nil {
			req = req.WithContext(AsReader(req.Context(), *r))
		}
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, req)
		return rec.Code
	}
	system := store.System(w.ws.ID)
	for want, r := range map[int]*sinew.Reader{401: nil, 200: &system, 403: {Workspace: w.ws.ID}} {
		if got := ask(r, "/api/v1/findings"); got != want {
			t.Errorf("%+v: %d, want %d", r, got, want)
		}
	}
}

// TestSlowSender ends a request whose body stops coming (TRU4).
func TestSlowSender(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db", func(c *Config) { c.Idle = 200 * time.Millisecond })
	pr, pw := io.Pipe()
	defer pw.Close()
	go io.WriteString(pw, "{") // and no more
	p := w.problem("developer", "POST", "/api/v1/imports", pr, 503)
	if p.Code != sinew.CodeUnavailable || !strings.Contains(p.Detail, "stopped coming") {
		t.Errorf("%+v", p)
	}
	w.ok("developer", "POST", "/api/v1/imports", probe(w.own, 1), nil)
}

// TestFull turns senders away rather than taking more than the server can hold
// (TRU4).
func TestFull(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db", func(c *Config) { c.Idle = 100 * time.Millisecond })
	for range cap(w.server.imports) {
		w.server.imports <- struct{}{}
	}
	if p := w.problem("developer", "POST", "/api/v1/imports", probe(w.own, 1), 503); !strings.Contains(p.Detail, "too many reports") {
		t.Errorf("%+v", p)
	}
	for range cap(w.server.slots) {
		w.server.slots <- struct{}{}
	}
	if p := w.problem("developer", "GET", "/api/v1/findings", nil, 503); !strings.Contains(p.Detail, "busy") {
		t.Errorf("%+v", p)
	}
}

// TestStop lets go of those who only wait, and keeps what they sent.
func TestStop(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	w.server.Stop()
	p := w.problem("developer", "POST", "/api/v1/imports?wait=true", probe(w.own, 6), 503)
	if !strings.Contains(p.Detail, "stopping") {
		t.Errorf("%+v", p)
	}
	id := strings.Fields(strings.TrimPrefix(p.Next, "ask for /api/v1/imports/"))[0]
	var got importInfo
	w.ok("developer", "GET", "/api/v1/imports/"+id, nil, &got)
	if got.ID != id || got.Observations != 7 {
		t.Errorf("%+v", got)
	}
}
