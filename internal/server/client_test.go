package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

// TestClient speaks to the server as the command line does: every call of the
// client, on both databases (OUT3).
func TestClient(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dial := func(token string) *client.Client {
			c, err := client.New(w.http.URL, token, nil)
			w.must(err)
			return c
		}
		dev, admin := dial(w.tokens["developer"]), dial(w.tokens["admin"])

		done, err := dev.Import(ctx, client.Upload{Name: "p.json", Ref: "main", Idempotency: "k"}, strings.NewReader(probe(w.own, 5)), true)
		w.must(err)
		if done.State != "projected" || done.Result == nil || done.Result.New != 2 || done.Observations != 6 {
			t.Errorf("import is %+v", done)
		}
		var found []string
		w.must(dev.Findings(ctx, client.List{Filter: "class:code", Sort: "title"}, func(f *sinew.Finding) error {
			found = append(found, f.ID)
			return nil
		}))
		if len(found) != 5 {
			t.Errorf("found %q", found)
		}
		stop := errors.New("enough")
		if err := dev.Findings(ctx, client.List{}, func(*sinew.Finding) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped with %v", err)
		}
		decided, err := dev.Decide(ctx, sinew.Decision{Findings: found[:2], Verdict: sinew.VerdictFalsePositive, Reason: "a test"}, "")
		w.must(err)
		one, err := dev.Finding(ctx, found[0])
		w.must(err)
		if decided.Seq == 0 || one.Decision == nil || one.Decision.Reason != "a test" || len(one.Presences) != 1 || len(one.Events) == 0 {
			t.Errorf("decided %+v, finding %+v", decided, one)
		}
		n, err := dev.Counts(ctx, "is:false_positive")
		w.must(err)
		if n.Total != 2 || n.Facets["state"]["false_positive"] != 2 {
			t.Errorf("counts %+v", n)
		}
		testClientLists(t, w, dev, admin)
		testClientAccess(t, w, admin, dial)
		testClientErrors(t, w, dev)
	})
}

func testClientLists(t *testing.T, w *world, dev, admin *client.Client) {
	ctx := t.Context()
	var apps []string
	w.must(admin.Applications(ctx, func(a client.Application) error { apps = append(apps, a.Name); return nil }))
	if !slices.Equal(apps, []string{"bank", "shop"}) {
		t.Errorf("applications %q", apps)
	}
	w.must(dev.Streams(ctx, func(s client.Stream) error {
		if s.Target != w.own.target || s.Application != "shop" || s.Place != "default" || s.Ref != "main" || s.LastSeen.IsZero() {
			t.Errorf("stream %+v", s)
		}
		return nil
	}))
	w.must(dev.Assets(ctx, "compute", 10, func(a client.Asset) error {
		if a.Key != w.own.host || a.Application != "shop" {
			t.Errorf("asset %+v", a)
		}
		return nil
	}))
	if _, err := dev.Ref(ctx, client.RefEvent{Target: w.own.target, Ref: "pr:1", Event: "closed"}); err != nil {
		t.Error(err)
	}
	if _, err := dev.Deploy(ctx, client.Deployment{Application: "shop", Environment: "prod", Version: "sha256:1"}); err != nil {
		t.Error(err)
	}
	if _, err := dev.EndAsset(ctx, sinew.AssetKey{Kind: sinew.KindCompute, Key: w.own.host}, w.db.Now()); err != nil {
		t.Error(err)
	}
	doc, err := admin.Rules(ctx)
	w.must(err)
	if change, err := admin.SetRules(ctx, doc, true); err != nil || doc != rules || change.Moved != 0 || !change.Preview {
		t.Errorf("rules %q, change %+v, %v", doc, change, err)
	}
	if change, err := admin.SetRules(ctx, doc, false); err != nil || change.Seq == 0 {
		t.Errorf("change %+v, %v", change, err)
	}
	var seqs []int64
	w.must(admin.Log(ctx, client.SearchLog{From: 2, Limit: 5}, func(e client.LogEntry) error { seqs = append(seqs, e.Seq); return nil }))
	if !slices.Equal(seqs, []int64{2, 3, 4, 5, 6}) {
		t.Errorf("entries %v", seqs)
	}
	if e, err := admin.LogEntry(ctx, 1); err != nil || e.Kind != sinew.EntryGenesis {
		t.Errorf("entry %+v, %v", e, err)
	}
	if v, err := admin.Verify(ctx); err != nil || !v.OK || v.Schema != "verify/v1" || v.State == "" {
		t.Errorf("verification %+v, %v", v, err)
	}
	var backup bytes.Buffer
	w.must(admin.Backup(ctx, &backup))
	if backup.Len() == 0 {
		t.Error("the backup is empty")
	}
	if s, err := dev.CompleteFilter(ctx, "is:open severity:cr", 19); err != nil || len(s) != 1 || s[0].Text != "severity:critical" {
		t.Errorf("suggestions %+v, %v", s, err)
	}
}

func testClientAccess(t *testing.T, w *world, admin *client.Client, dial func(string) *client.Client) {
	ctx := t.Context()
	link, err := admin.Invite(ctx, sinew.RoleViewer)
	w.must(err)
	guest, err := dial("").Redeem(ctx, link.Secret, client.NewUser{Login: "guest", Password: password})
	w.must(err)
	session, err := dial("").SignIn(ctx, "guest", password)
	w.must(err)
	if me, err := dial(session.Secret).Me(ctx); err != nil || me.ID != guest.ID || me.Role != sinew.RoleViewer {
		t.Errorf("me %+v, %v", me, err)
	}
	w.must(admin.Grant(ctx, guest.ID, "shop", sinew.RoleDeveloper))
	w.must(admin.Grant(ctx, guest.ID, "", sinew.RoleNone))
	made, err := admin.CreateUser(ctx, client.NewUser{Login: "second", Password: password, Role: sinew.RoleViewer})
	w.must(err)
	names := map[string]client.User{}
	w.must(admin.Users(ctx, func(u client.User) error { names[u.Login] = u; return nil }))
	if got := names["guest"]; got.Role != sinew.RoleNone || got.Grants["shop"] != sinew.RoleDeveloper || names["second"].ID != made.ID {
		t.Errorf("users %+v", names)
	}
	token, err := dial(session.Secret).CreateToken(ctx, client.NewToken{Name: "ci", Role: sinew.RoleViewer, Applications: []string{"shop"}, Days: 1})
	w.must(err)
	tokens := 0
	w.must(dial(token.Secret).Tokens(ctx, func(client.Token) error { tokens++; return nil }))
	if tokens != 2 {
		t.Errorf("%d tokens, want 2", tokens)
	}
	w.must(dial(session.Secret).RevokeToken(ctx, token.ID))
	w.must(admin.DisableUser(ctx, made.ID))
	w.must(admin.EraseUser(ctx, made.ID))
	if _, err := dial(token.Secret).Me(ctx); sinew.CodeOf(err) != sinew.CodeUnauthn {
		t.Errorf("a revoked token: %v", err)
	}
}

func testClientErrors(t *testing.T, w *world, dev *client.Client) {
	ctx := t.Context()
	err := dev.Findings(ctx, client.List{Filter: "is:open severty:high"}, func(*sinew.Finding) error { return nil })
	var e *sinew.Error
	if !errors.As(err, &e) || e.Code != sinew.CodeInvalid || e.Where != "filter, character 9" || !strings.Contains(e.Next, "severity") {
		t.Errorf("error %+v", err)
	}
	_, err = dev.Import(ctx, client.Upload{Name: "bad.json"}, strings.NewReader(`{"hello": 1}`), true)
	if !errors.As(err, &e) || e.Code != sinew.CodeUnsupported || e.Where != "bad.json" {
		t.Errorf("error %+v", err)
	}
	gone, err := client.New("http://127.0.0.1:1", "", nil)
	w.must(err)
	if _, err := gone.Me(ctx); sinew.CodeOf(err) != sinew.CodeUnavailable {
		t.Errorf("nobody listens: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := dev.Me(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestExportThatBreaksOff tells the client of an error after the first line.
func TestExportThatBreaksOff(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db")
	h := w.server.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.server.lines(r.Context(), func(_ context.Context, send func(any) error) error {
			return errors.Join(send(sinew.Finding{ID: "f1"}), sinew.Errorf(sinew.CodeTooLarge, "enough").Hint("ask for less"))
		}).Body(nil)
	}))
	c, err := client.New("http://x.invalid", "", handlerTransport{h})
	w.must(err)
	var seen []string
	err = c.Findings(t.Context(), client.List{}, func(f *sinew.Finding) error { seen = append(seen, f.ID); return nil })
	want := &sinew.Error{Code: sinew.CodeTooLarge, Message: "enough", Next: "ask for less"}
	var got *sinew.Error
	if !errors.As(err, &got) || !cmp.Equal(got, want) || len(seen) != 1 {
		t.Errorf("seen %q, error %+v", seen, err)
	}
}

// handlerTransport calls a handler instead of a network.
type handlerTransport struct{ h http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, w: pw}
	go func() {
		t.h.ServeHTTP(w, r)
		pw.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: w.header, Body: pr, Request: r}, nil
}

type pipeWriter struct {
	header http.Header
	w      io.Writer
}

func (p *pipeWriter) Header() http.Header         { return http.Header{} }
func (p *pipeWriter) WriteHeader(int)             {}
func (p *pipeWriter) Write(b []byte) (int, error) { return p.w.Write(b) }

// TestContractsAgree keeps the client's types from naming what the server does
// not send, and the other way round where it matters.
func TestContractsAgree(t *testing.T) {
	for name, pair := range map[string][2]any{
		"user": {user{}, client.User{}}, "token": {token{}, client.Token{}}, "import": {importInfo{}, client.Import{}},
		"application": {application{}, client.Application{}}, "invitation": {invitation{}, client.Invitation{}},
		"verification": {verification{}, client.Verification{}}, "log entry": {logEntry{}, client.LogEntry{}},
		"counts": {counts{}, client.Counts{}}, "standing": {standing{}, client.Standing{}}, "rules": {rulesChange{}, client.RulesChange{}},
		"finding": {findingDetail{}, client.FindingDetail{}}, "stream": {streamInfo{}, client.Stream{}},
		"group": {FindingGroup{}, client.Group{}}, "evidence": {EvidenceExcerpt{}, client.Evidence{}}, "decision": {DecisionInfo{}, client.Decision{}},
		"undone": {undone{}, client.Undone{}}, "view": {SavedView{}, client.SavedView{}}, "coverage": {CoverageRow{}, client.CoverageRow{}},
		"accepted": {accepted{}, client.Decided{}},
	} {
		server, theirs := members(pair[0]), members(pair[1])
		for _, m := range theirs {
			if !slices.Contains(server, m) {
				t.Errorf("%s: the client expects %q, which the server does not send (%q)", name, m, server)
			}
		}
	}
}

// members lists the names of a struct's JSON members.
func members(v any) []string {
	var out []string
	var add func(reflect.Type)
	add = func(t reflect.Type) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				add(f.Type)
			case name != "-" && name != "":
				out = append(out, name)
			}
		}
	}
	add(reflect.TypeOf(v))
	return out
}
