package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestProblems holds the form in which every error leaves the API (TRU4): a
// code, a sentence, the place, the next step, and nothing from inside.
func TestProblems(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for _, tt := range []struct {
			name, method, path string
			body               any
			status             int
			code               sinew.Code
			where, detail      string
		}{
			{"filter", "GET", "/api/v1/findings?filter=is:open+severty:high", nil, 400, "invalid", "filter, character 9", "there is no field"},
			{"sort", "GET", "/api/v1/findings?sort=colour", nil, 400, "invalid", "", "cannot be sorted"},
			{"limit", "GET", "/api/v1/findings?limit=0", nil, 400, "invalid", "query.limit", "does not fit its schema"},
			{"large limit", "GET", "/api/v1/findings?limit=1001", nil, 400, "invalid", "", "a page has 1 to 1000 rows"},
			{"no number", "GET", "/api/v1/streams?limit=ten", nil, 400, "invalid", "query.limit", "does not fit its schema"},
			{"unknown parameter", "GET", "/api/v1/findings?filtre=x", nil, 400, "invalid", "query.filtre", "unknown query parameter"},
			{"unknown id", "GET", "/api/v1/findings/fabc", nil, 404, "not_found", "", "there is no finding fabc"},
			{"id of another kind", "GET", "/api/v1/findings/" + w.own.snapshot, nil, 404, "not_found", "", "there is no finding"},
			{"unknown path", "GET", "/api/v1/nothing", nil, 404, "not_found", "", "there is nothing at GET"},
			{"unknown method", "DELETE", "/api/v1/findings", nil, 404, "not_found", "", "there is nothing at DELETE"},
			{"no JSON", "POST", "/api/v1/decisions", brokenJSON(`{"verdict":`), 400, "invalid", "", ""},
			{"unknown member", "POST", "/api/v1/tokens", object{"name": "x", "admin": true}, 400, "invalid", "body.admin", "unexpected property"},
			{"missing member", "POST", "/api/v1/refs", object{"target": "x", "ref": "y"}, 400, "invalid", "body", "event"},
			{"unknown word", "POST", "/api/v1/decisions", object{"findings": []string{w.own.finding}, "verdict": "wontfix"}, 400, "invalid", "body.verdict", ""},
			{"no reason", "POST", "/api/v1/decisions", object{"findings": []string{w.own.finding}, "verdict": "accepted"}, 400, "invalid", "", "needs a reason"},
			{"nothing named", "POST", "/api/v1/decisions", object{"verdict": "triaged"}, 400, "invalid", "", "name findings or a filter"},
			{"too large", "POST", "/api/v1/tokens", object{"name": strings.Repeat("x", maxBody)}, 413, "too_large", "", ""},
			{"no format", "POST", "/api/v1/imports?format=bogus", "{}", 415, "unsupported", "report", "there is no format"},
			{"no report", "POST", "/api/v1/imports?name=a.json", `{"hello": "world"}`, 415, "unsupported", "a.json", ""},
			{"empty report", "POST", "/api/v1/imports", "", 0, "", "", ""},
			{"bad time", "POST", "/api/v1/imports?at=yesterday", "{}", 400, "invalid", "query.at", ""},
			{"bad rules", "PUT", "/api/v1/rules", object{"document": "schema: rules/v1\napplications: [{nam: x}]"}, 400, "invalid", "", ""},
			{"unknown application", "PUT", "/api/v1/users/" + w.users["viewer"] + "/role", object{"application": "nope", "role": "viewer"}, 404, "not_found", "", "nope"},
			{"unknown user", "GET", "/api/v1/users/pnobody", nil, 404, "not_found", "", "no such user"},
			{"weak password", "POST", "/api/v1/users", object{"login": "weak", "password": "short"}, 400, "invalid", "", "fewer than 12"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				w := &world{TB: t, http: w.http, tokens: w.tokens, log: w.log, attempts: w.attempts}
				status := tt.status
				if status == 0 {
					status = w.do("admin", tt.method, tt.path, tt.body).status
					if status < 400 || status >= 500 {
						t.Errorf("status %d, want the sender's fault", status)
					}
				}
				p := w.problem("admin", tt.method, tt.path, tt.body, status)
				if tt.code != "" && p.Code != tt.code {
					t.Errorf("code %s, want %s: %+v", p.Code, tt.code, p)
				}
				if tt.where != "" && p.Where != tt.where {
					t.Errorf("where %q, want %q: %+v", p.Where, tt.where, p)
				}
				if !strings.Contains(p.Detail, tt.detail) {
					t.Errorf("detail %q, want %q in it", p.Detail, tt.detail)
				}
				if strings.Contains(p.Detail+p.Next, "sql") || strings.Contains(p.Detail, "goroutine") || strings.Contains(p.Detail, "/work/") {
					t.Errorf("the inside shows: %+v", p)
				}
			})
		}
	})
}

func TestPaging(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for path, want := range map[string]int{
			"/api/v1/findings": 4, "/api/v1/findings?sort=title": 4, "/api/v1/findings?sort=last_seen": 4, "/api/v1/findings?filter=class:code": 3,
			"/api/v1/streams": 1, "/api/v1/snapshots": 1, "/api/v1/applications": 1, "/api/v1/tokens": 1,
		} {
			glue := "?"
			if strings.Contains(path, "?") {
				glue = "&"
			}
			var seen []string
			next := path + glue + "limit=2"
			for pages := 0; next != ""; pages++ {
				var p list[struct {
					ID string `json:"id"`
				}]
				a := w.ok("viewer", "GET", next, nil, &p)
				for _, item := range p.Items {
					seen = append(seen, item.ID)
				}
				link := a.header.Get("Link")
				if (link == "") != (p.Next == "") {
					t.Fatalf("%s: next %q, link %q", path, p.Next, link)
				}
				next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
				if pages > 10 {
					t.Fatalf("%s never ends", path)
				}
			}
			if len(seen) != want || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != want {
				t.Errorf("%s in pages is %q, want %d", path, seen, want)
			}
		}
	})
}

// TestForeignCursors feeds cursors to lists that they are not of (TRU4).
func TestForeignCursors(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var p list[sinew.Finding]
		w.ok("admin", "GET", "/api/v1/findings?limit=1&sort=title", nil, &p)
		cursor := p.Next
		for name, path := range map[string]string{
			"another sort":    "/api/v1/findings?cursor=" + cursor,
			"another filter":  "/api/v1/findings?sort=title&filter=is:open&cursor=" + cursor,
			"another list":    "/api/v1/streams?cursor=" + cursor,
			"list in memory":  "/api/v1/users?cursor=" + cursor,
			"the log":         "/api/v1/log?cursor=" + cursor,
			"before the log":  "/api/v1/log?cursor=0",
			"nonsense":        "/api/v1/findings?cursor=nonsense",
			"cut off":         "/api/v1/findings?sort=title&cursor=" + cursor[:len(cursor)-3],
			"not of the kind": "/api/v1/findings?sort=title&cursor=" + w.own.finding,
		} {
			if got := w.problem("admin", "GET", path, nil, 400); got.Code != sinew.CodeInvalid {
				t.Errorf("%s: %+v", name, got)
			}
		}
		// Whatever is changed in it, a cursor shows nothing that its reader may not see.
		w.ok("viewer", "GET", "/api/v1/findings?limit=1&sort=title", nil, &p)
		for i := range p.Next {
			changed := p.Next[:i] + "A" + p.Next[i+1:]
			a := w.do("viewer", "GET", "/api/v1/findings?sort=title&cursor="+changed, nil)
			if a.status >= 500 || strings.Contains(string(a.body), "bank") {
				t.Errorf("cursor %s: %d %s", changed, a.status, a.body)
			}
		}
	})
}

// TestExport streams findings (OUT3).
func TestExport(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		export := func(sender, path string) []sinew.Finding {
			a := w.ok(sender, "GET", path, nil, nil, "Accept", ndjson)
			if got := a.header.Get("Content-Type"); got != ndjson {
				t.Errorf("content type %s", got)
			}
			var out []sinew.Finding
			dec := json.NewDecoder(bytes.NewReader(a.body))
			dec.DisallowUnknownFields()
			for {
				var f sinew.Finding
				if err := dec.Decode(&f); err == io.EOF {
					return out
				} else if err != nil {
					t.Fatalf("%v in %s", err, a.body)
				}
				out = append(out, f)
			}
		}
		if got := export("admin", "/api/v1/findings"); len(got) != 8 {
			t.Errorf("%d findings, want 8", len(got))
		}
		if got := export("viewer", "/api/v1/findings"); len(got) != 4 {
			t.Errorf("a viewer gets %d findings, want 4", len(got))
		}
		if got := export("admin", "/api/v1/findings?limit=3&sort=title"); len(got) != 3 || got[0].Title > got[2].Title {
			t.Errorf("limited to 3: %+v", got)
		}
		if got := export("admin", "/api/v1/findings?limit=2000"); len(got) != 8 {
			t.Errorf("%d findings, want 8", len(got))
		}
		w.problem("admin", "GET", "/api/v1/findings?filter=x:", nil, 400, "Accept", ndjson)
	})
}

func TestIdempotency(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		decide := object{"findings": []string{w.own.finding}, "verdict": "triaged"}
		var first, second accepted
		w.ok("developer", "POST", "/api/v1/decisions", decide, &first, "Idempotency-Key", "k1")
		w.ok("developer", "POST", "/api/v1/decisions", decide, &second, "Idempotency-Key", "k1")
		if first.Seq == 0 || second.Seq != first.Seq || second.ID != first.ID || !second.Duplicate || first.Duplicate {
			t.Errorf("first %+v, second %+v", first, second)
		}
		w.ok("mixed", "POST", "/api/v1/decisions", decide, &second, "Idempotency-Key", "k1")
		if second.Seq == first.Seq {
			t.Error("somebody else's key was taken for ours")
		}
		other := object{"findings": []string{w.own.finding}, "verdict": "in_progress"}
		if p := w.problem("developer", "POST", "/api/v1/decisions", other, 409, "Idempotency-Key", "k1"); p.Code != sinew.CodeConflict {
			t.Errorf("%+v", p)
		}
		path := "/api/v1/imports?name=p.json"
		var one, two importInfo
		w.ok("developer", "POST", path, probe(w.own, 2), &one, "Idempotency-Key", "k2")
		w.ok("developer", "POST", path, probe(w.own, 2), &two, "Idempotency-Key", "k2")
		if one.ID == "" || two.ID != one.ID || !two.Duplicate {
			t.Errorf("one %+v, two %+v", one, two)
		}
		w.problem("developer", "POST", path, probe(w.own, 1), 409, "Idempotency-Key", "k2")
		w.problem("developer", "POST", path+"&ref=other", probe(w.own, 2), 409, "Idempotency-Key", "k2")
	})
}

// TestUpload sends reports in every way there is (ING1, OUT3).
func TestUpload(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var got importInfo
		a := w.ok("developer", "POST", "/api/v1/imports?name=p.json", probe(w.own, 3), &got)
		if a.status != http.StatusAccepted || got.State != "accepted" || got.Report != "p.json" || a.header.Get("Location") != "/api/v1/imports/"+got.ID {
			t.Errorf("%d %s: %+v", a.status, a.header.Get("Location"), got)
		}
		w.ok("developer", "GET", "/api/v1/imports/"+got.ID, nil, &got)

		var form bytes.Buffer
		mw := multipart.NewWriter(&form)
		mw.WriteField("scan_type", "ignored")
		part, _ := mw.CreateFormFile("file", "q.json")
		io.WriteString(part, probe(w.own, 5))
		mw.Close()
		a = w.ok("developer", "POST", "/api/v1/imports?wait=true", &form, &got, "Content-Type", mw.FormDataContentType())
		if a.status != http.StatusOK || got.State != "projected" || got.Report != "q.json" || got.Result == nil || got.Result.New != 2 {
			t.Errorf("%d: %+v", a.status, got)
		}
		w.problem("developer", "POST", "/api/v1/imports", "--b\r\n\r\nx\r\n--b--\r\n", 400, "Content-Type", "multipart/form-data; boundary=b")
		w.problem("developer", "POST", "/api/v1/imports", "nothing of the kind", 400, "Content-Type", "multipart/form-data; boundary=b")
		w.problem("developer", "POST", "/api/v1/imports", "x", 400, "Content-Type", "multipart/form-data")

		// Too large, with and without the length told in advance.
		huge := strings.Repeat(" ", 2<<20)
		for name, body := range map[string]any{"told": huge, "not told": io.MultiReader(strings.NewReader(huge))} {
			if p := w.problem("developer", "POST", "/api/v1/imports", body, 413); p.Code != sinew.CodeTooLarge {
				t.Errorf("%s: %+v", name, p)
			}
		}
		var after list[importInfo]
		w.ok("developer", "GET", "/api/v1/snapshots?target="+w.own.target, nil, &after)
		if len(after.Items) != 3 || after.Items[0].ID != got.ID {
			t.Errorf("snapshots are %+v", after.Items)
		}
	})
}

// event is a server-sent event.
type event struct{ name, data string }

func readEvents(t *testing.T, r io.Reader) (list []event) {
	t.Helper()
	var e event
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if lines.Text() == "" && e.name != "" {
				list = append(list, e)
				e = event{}
			}
		default:
			t.Errorf("line %q", lines.Text())
		}
	}
	return list
}

func TestEvents(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a := w.ok("developer", "POST", "/api/v1/imports?wait=true&name=p.json", probe(w.own, 4), nil, "Accept", eventStream)
		got := readEvents(t, bytes.NewReader(a.body))
		var names []string
		for _, e := range got {
			if e.name != "progress" {
				names = append(names, e.name)
			}
		}
		if !slices.Equal(names, []string{"accepted", "result"}) || a.header.Get("Content-Type") != eventStream {
			t.Fatalf("events are %v as %s", got, a.header.Get("Content-Type"))
		}
		var done importInfo
		if err := json.Unmarshal([]byte(got[len(got)-1].data), &done); err != nil || done.State != "projected" || done.Result == nil {
			t.Errorf("result is %+v, %v", done, err)
		}
		a = w.ok("developer", "GET", "/api/v1/imports/"+done.ID+"/events", nil, nil)
		if got = readEvents(t, bytes.NewReader(a.body)); len(got) != 1 || got[0].name != "result" {
			t.Errorf("events of what is done: %v", got)
		}
		a = w.ok("developer", "POST", "/api/v1/imports?name=p.json", `{"hello": 1}`, nil, "Accept", eventStream)
		got = readEvents(t, bytes.NewReader(a.body))
		var p Problem
		if len(got) != 1 || got[0].name != "problem" || json.Unmarshal([]byte(got[0].data), &p) != nil || p.Code != sinew.CodeUnsupported {
			t.Errorf("events of a bad report: %v", got)
		}
	})
}

// TestWatchPending follows a report that nobody has projected yet.
func TestWatchPending(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a := w.ok("developer", "POST", "/api/v1/imports?name=p.json", probe(w.own, 6), nil)
		var info importInfo
		if err := json.Unmarshal(a.body, &info); err != nil {
			t.Fatal(err)
		}
		a = w.ok("developer", "GET", "/api/v1/imports/"+info.ID+"/events", nil, nil)
		got := readEvents(t, bytes.NewReader(a.body))
		if len(got) == 0 || got[len(got)-1].name != "result" {
			t.Errorf("events are %v", got)
		}
	})
}

func TestLog(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var all list[logEntry]
		w.ok("admin", "GET", "/api/v1/log?limit=1000", nil, &all)
		var some list[logEntry]
		w.ok("admin", "GET", "/api/v1/log?limit=2&cursor=3", nil, &some)
		if len(all.Items) < 6 || len(some.Items) != 2 || some.Items[0].Seq != 3 || some.Next != "5" || some.Items[0].Hash != all.Items[2].Hash {
			t.Errorf("all %d, some %+v", len(all.Items), some)
		}
		var one logEntry
		w.ok("admin", "GET", "/api/v1/log/3", nil, &one)
		if one.Hash != all.Items[2].Hash || len(one.Payload) == 0 {
			t.Errorf("entry 3 is %+v", one)
		}
		w.problem("admin", "GET", "/api/v1/log/99999", nil, 404)
		var v verification
		w.ok("admin", "POST", "/api/v1/log/verify", nil, &v)
		if !v.OK || v.Entries != int64(len(all.Items)) || v.Head != all.Items[len(all.Items)-1].Hash || len(v.State) != 64 || len(v.History) != 64 {
			t.Errorf("verification is %+v of %d entries", v, len(all.Items))
		}
		a := w.ok("admin", "POST", "/api/v1/log/verify", nil, nil, "Accept", ndjson)
		lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
		var last verifyLine
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Report == nil || last.Report.State != v.State {
			t.Errorf("lines are %q", lines)
		}
		a = w.ok("admin", "GET", "/api/v1/backup", nil, nil)
		if !bytes.HasPrefix(a.body, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Errorf("the backup is no zstd: %x", a.body[:min(8, len(a.body))])
		}
	})
}

// TestBrokenBackupIsBroken keeps half a backup from looking whole.
func TestBrokenBackupIsBroken(t *testing.T) {
	w := newWorld(t, t.TempDir()+"/s.db", func(c *Config) {
		c.Backup = func(_ context.Context, out io.Writer) error {
			out.Write(bytes.Repeat([]byte("x"), 1<<16))
			return fmt.Errorf("disk is gone")
		}
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/api/v1/backup", nil)
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

// TestSignInAndOut follows somebody from a link to a token and back (TRU1).
func TestSignInAndOut(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
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
	})
}

// TestJoinForm uses a link as a browser does.
func TestJoinForm(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
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
	})
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
	a := try("bob", "203.0.113.10")
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.status != 429 || a.header.Get("Retry-After") == "" || p.Status != 429 {
		t.Errorf("%d, retry after %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	if a := try("carl", "203.0.113.11"); a.status != 401 {
		t.Errorf("others are kept out too: %d", a.status)
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
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
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
		req := httptest.NewRequest("GET", target, nil)
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

func TestFilterRoutes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		suggest := func(sender, q string) []string {
			var got list[struct{ Text string }]
			w.ok(sender, "GET", "/api/v1/filter/complete?filter="+url.QueryEscape(q), nil, &got)
			var out []string
			for _, s := range got.Items {
				out = append(out, s.Text)
			}
			return out
		}
		if got := suggest("viewer", "is:open sev"); !slices.Equal(got, []string{"severity:"}) {
			t.Errorf("%q", got)
		}
		if got := suggest("viewer", "tool:pr"); !slices.Equal(got, []string{"tool:probe"}) {
			t.Errorf("%q", got)
		}
		if got := suggest("admin", "app:"); !slices.Equal(got, []string{"app:none", "app:bank", "app:shop", "app:unassigned"}) {
			t.Errorf("%q", got)
		}
		if got := suggest("viewer", "app:"); !slices.Equal(got, []string{"app:none", "app:shop"}) {
			t.Errorf("a viewer gets %q", got)
		}
		var c counts
		w.ok("viewer", "GET", "/api/v1/findings/counts?filter=kev:true", nil, &c)
		if c.Total != 0 || len(c.Notes) != 1 {
			t.Errorf("%+v", c)
		}
		w.ok("viewer", "GET", "/api/v1/findings/counts", nil, &c)
		if c.Total != 4 || c.Facets["severity"]["high"] != 3 || c.Facets["target"][w.own.target] != 4 {
			t.Errorf("%+v", c)
		}
	})
}

func TestDecideByFilter(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ask := object{"filter": "class:code app:shop", "verdict": "accepted", "reason": "a test"}
		var preview decisionPreview
		w.ok("developer", "POST", "/api/v1/decisions/preview", ask, &preview)
		if preview.Count != 3 || preview.States[sinew.StateOpen] != 3 || len(preview.Items) != 3 {
			t.Errorf("%+v", preview)
		}
		var done accepted
		w.ok("developer", "POST", "/api/v1/decisions", ask, &done)
		if done.Findings != 3 {
			t.Errorf("%+v", done)
		}
		var c counts
		w.ok("developer", "GET", "/api/v1/findings/counts?filter=is:accepted", nil, &c)
		if c.Total != 3 {
			t.Errorf("%d are accepted", c.Total)
		}
		var d findingDetail
		w.ok("developer", "GET", "/api/v1/findings/"+preview.Items[0].ID, nil, &d)
		if d.Decision == nil || d.Decision.Reason != "a test" || d.Decision.By != w.users["developer"] || d.State != sinew.StateAccepted {
			t.Errorf("%+v", d.Decision)
		}
		w.problem("developer", "POST", "/api/v1/decisions", object{"filter": "app:bank", "verdict": "triaged"}, 404)
	})
}

func TestRulesRoutes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		more := strings.Replace(rules, "name: bank", "name: vault", 1)
		var change rulesChange
		w.ok("admin", "POST", "/api/v1/rules/preview", object{"document": more}, &change)
		if change.Moved != 4 || !change.Preview || change.Seq != 0 {
			t.Errorf("preview %+v", change)
		}
		w.ok("admin", "PUT", "/api/v1/rules", object{"document": more}, &change)
		if change.Moved != 4 || change.Seq == 0 {
			t.Errorf("change %+v", change)
		}
		var doc rulesDocument
		w.ok("admin", "GET", "/api/v1/rules", nil, &doc)
		if doc.Document != more || doc.Seq != change.Seq {
			t.Errorf("rules are %+v", doc)
		}
		var c counts
		w.ok("admin", "GET", "/api/v1/findings/counts?filter=app:vault", nil, &c)
		if c.Total != 4 {
			t.Errorf("vault has %d findings", c.Total)
		}
	})
}
