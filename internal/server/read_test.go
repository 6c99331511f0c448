package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestReading asks for everything that changes nothing (OUT3, TRU4).
func TestReading(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.run(t, "problems", testProblems)
		w.run(t, "paging", testPaging)
		w.run(t, "foreignCursors", testForeignCursors)
		w.run(t, "export", testExport)
		w.run(t, "filterRoutes", testFilterRoutes)
		w.run(t, "log", testLog)
	})
}

// testProblems holds the form in which every error leaves the API (TRU4): a
// code, a sentence, the place, the next step, and nothing from inside.
func testProblems(t *testing.T, w *world) {
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
		w.run(t, tt.name, func(t *testing.T, w *world) {
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
			if strings.Contains(p.Detail+p.Next, "sql") || strings.Contains(p.Detail, "goroutine") || strings.Contains(p.Detail+p.Next, ".go:") {
				t.Errorf("the inside shows: %+v", p)
			}
		})
	}
}

func testPaging(t *testing.T, w *world) {
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
}

// testForeignCursors feeds cursors to lists that they are not of (TRU4).
func testForeignCursors(t *testing.T, w *world) {
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
}

// testExport streams findings (OUT3).
func testExport(t *testing.T, w *world) {
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
}

func testFilterRoutes(t *testing.T, w *world) {
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
}

func testLog(t *testing.T, w *world) {
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
}
