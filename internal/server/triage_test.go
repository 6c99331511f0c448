package server

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
	ident "github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestTriage asks for what triage needs: groups, exports, evidence, bulk
// decisions and their undo, views, coverage (TRU1, ING9).
func TestTriage(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.many()
		w.run(t, "groups", testGroupRoutes)
		w.run(t, "exports", testExports)
		w.run(t, "sarif", testSARIF)
		w.run(t, "evidence", testEvidence)
		w.run(t, "bulk", testBulk)
		w.run(t, "coverage", testCoverageRoute)
		w.run(t, "detect", testDetect)
		w.run(t, "logSearch", testLogSearch)
		w.run(t, "rulesPreview", testRulesPreview)
	})
}

// many imports a report with more findings than a page has, and awkward ones.
func (w *world) many() {
	w.Helper()
	type m = map[string]any
	findings := []m{}
	for i := range 1100 {
		findings = append(findings, m{
			"rule": fmt.Sprintf("r%d", i%7), "title": fmt.Sprintf("Many %d", i), "severity": []string{"critical", "high", "medium", "low", "info"}[i%5],
			"file": fmt.Sprintf("src/a b/%d#x.go", i%50), "line": i + 1, "cwe": []int{79}, "tool": []string{"alpha", "beta"}[i%2],
		})
	}
	findings = append(findings,
		m{
			"rule": "CVE-2026-10001", "title": "=HYPERLINK(\"http://evil\")", "severity": "high", "ids": []string{"CVE-2026-10001", "GHSA-2234-cfgh-jmpq"},
			"package": m{"name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15", "fixed": []string{"4.17.21"}},
		},
		m{
			"rule": "CVE-2026-10002", "title": "+1", "severity": "critical", "ids": []string{"CVE-2026-10002"},
			"package": m{"name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15", "fixed": []string{"4.17.20"}},
		},
		m{"rule": "leak", "title": "a key", "severity": "high", "file": "conf/key.env", "line": 3, "secret": "hunter2hunter2hunter2"},
		m{"rule": "xss", "title": "@mention\t-", "severity": "medium", "endpoint": m{"method": "GET", "url": "https://www.example.org/a?b=c"}},
	)
	b, err := json.Marshal(m{"schema": "generic/v1", "tool": "many", "target": "git.example.org/shop/many", "ref": "main", "findings": findings})
	w.must(err)
	var got importInfo
	w.ok("admin", "POST", "/api/v1/imports?wait=true&name=many.json&coverage=complete", string(b), &got)
	if got.Observations != len(findings) {
		w.Fatalf("import = %+v", got)
	}
}

const ofMany = "target:git.example.org/shop/many"

func asking(p string, params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return p + "?" + q.Encode()
}

// listed gives the ids of a filter in the order of the list.
func (w *world) listed(sender, filter, sort string) (ids []string) {
	w.Helper()
	a := w.ok(sender, "GET", asking("/api/v1/findings", "filter", filter, "sort", sort), nil, nil, "Accept", ndjson)
	for line := range strings.Lines(string(a.body)) {
		var f sinew.Finding
		w.must(json.Unmarshal([]byte(line), &f))
		ids = append(ids, f.ID)
	}
	return ids
}

func testGroupRoutes(t *testing.T, w *world) {
	var causes list[FindingGroup]
	w.ok("viewer", "GET", asking("/api/v1/findings/groups", "filter", ofMany+" class:dependency", "by", "root_cause"), nil, &causes)
	if len(causes.Items) != 1 || causes.Items[0].Title != "upgrade lodash (npm)" || causes.Items[0].Count != 2 ||
		causes.Items[0].Worst != "critical" || causes.Items[0].Severities["high"] != 1 {
		t.Errorf("root causes %+v", causes.Items)
	}
	if got := w.listed("viewer", causes.Items[0].Filter, ""); len(got) != 2 {
		t.Errorf("%s finds %q", causes.Items[0].Filter, got)
	}
	var secrets list[FindingGroup]
	w.ok("viewer", "GET", asking("/api/v1/findings/groups", "filter", ofMany+" class:secret", "by", "root_cause"), nil, &secrets)
	if len(secrets.Items) != 1 || !strings.HasPrefix(secrets.Items[0].Title, "rotate secret ") || strings.Contains(secrets.Items[0].Title, "hunter2") {
		t.Errorf("root causes of secrets %+v", secrets.Items)
	}
	w.problem("viewer", "GET", "/api/v1/findings/groups?by=colour", nil, 400)
	var c counts
	w.ok("viewer", "GET", "/api/v1/findings/counts", nil, &c)
	if n := c.Facets["application"]; len(n) != 1 || n["shop"] != c.Active {
		t.Errorf("facet application %v of %d", n, c.Active)
	}
	w.ok("admin", "GET", asking("/api/v1/findings/counts", "filter", "severity:low"), nil, &c)
	if n := c.Facets["application"]; n["shop"] != 221 || n["bank"] != 1 {
		t.Errorf("facet application of severity:low %v", n)
	}
	// What groups are by is what the document says.
	document, err := w.server.OpenAPI()
	w.must(err)
	for _, by := range store.Groupings() {
		if !bytes.Contains(document, []byte(`"`+by+`"`)) {
			t.Errorf("the document does not name the grouping %s", by)
		}
	}
}

// testExports: an export has exactly the findings of the list, in its order.
func testExports(t *testing.T, w *world) {
	for _, sender := range []string{"viewer", "admin"} {
		for _, tt := range []struct{ filter, sort string }{{"", ""}, {ofMany + " severity:>=high", "title"}, {"rule:r3 -file:*7#x.go", "-recorded"}, {"rule:none-such", ""}} {
			want := w.listed(sender, tt.filter, tt.sort)
			a := w.ok(sender, "GET", asking("/api/v1/findings/export", "filter", tt.filter, "sort", tt.sort, "format", "json"), nil, nil)
			var doc struct {
				Schema, Filter string
				Findings       []sinew.Finding
			}
			w.must(json.Unmarshal(a.body, &doc))
			got := []string{}
			for _, f := range doc.Findings {
				got = append(got, f.ID)
			}
			if doc.Schema != "export/v1" || !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Errorf("%s %+v as JSON: %d findings, the list has %d", sender, tt, len(got), len(want))
			}
			a = w.ok(sender, "GET", asking("/api/v1/findings/export", "filter", tt.filter, "sort", tt.sort), nil, nil)
			rows, err := csv.NewReader(bytes.NewReader(a.body)).ReadAll()
			w.must(err)
			got = got[:0]
			for _, row := range rows[1:] {
				got = append(got, row[0])
				for i, cell := range row {
					if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
						t.Errorf("column %s begins like a formula: %q", rows[0][i], cell)
					}
				}
			}
			if !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Errorf("%s %+v as CSV: %d findings, the list has %d", sender, tt, len(got), len(want))
			}
			if !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment;") || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", a.header)
			}
		}
	}
	w.problem("viewer", "GET", "/api/v1/findings/export?sort=colour", nil, 400)
	w.problem("viewer", "GET", "/api/v1/findings/export?format=xls", nil, 400)
	w.problem("viewer", "GET", "/api/v1/findings/export?filter=severty:x", nil, 400)
}

// testSARIF: our SARIF is read back by our own reader as the same findings.
func testSARIF(t *testing.T, w *world) {
	a := w.ok("admin", "GET", asking("/api/v1/findings/export", "filter", ofMany, "format", "sarif"), nil, nil)
	checkSARIF(t, a.body)
	want := map[string]int{}
	key := func(tool, rule string, severity sinew.Severity, file string, line int, ids []string, title string) string {
		ids = slices.Sorted(slices.Values(ids))
		return fmt.Sprint(tool, "|", rule, "|", severity, "|", file, "|", line, "|", ids, "|", title)
	}
	p := store.Page{Limit: 1000}
	for {
		list, next, err := w.db.Findings(w.Context(), store.System(w.ws.ID), nil, p)
		w.must(err)
		for _, f := range list {
			if f.Target == "git.example.org/shop/many" {
				title := f.Title
				if f.Package != nil {
					title = f.IDs[0] + " in lodash 4.17.15" // as the reader names dependencies
				}
				want[key(f.Tool, f.Rule, f.Severity, f.File, f.Line, f.IDs, strings.TrimSpace(title))]++
			}
		}
		if next == "" {
			break
		}
		p.After = next
	}
	engine, err := format.New(formats.Files)
	w.must(err)
	got, n := map[string]int{}, 0
	_, err = engine.Parse(w.Context(), format.Input{Name: "x.sarif", R: bytes.NewReader(a.body), Size: int64(len(a.body))}, format.Options{}, func(b sinew.SnapshotBody) error {
		if o := b.Observation; o != nil {
			n++
			got[key(o.Tool, o.Rule, o.Severity, o.File, o.Line, o.IDs, o.Title)]++
		}
		return nil
	})
	w.must(err)
	shown := 0
	for k, count := range want {
		if got[k] != count && shown < 5 {
			shown++
			t.Errorf("%s: %d of %d come back", k, got[k], count)
		}
	}
	for k := range got {
		if want[k] == 0 && shown < 10 {
			shown++
			t.Errorf("%s comes back and was not there", k)
		}
	}
	if n != 1104 {
		t.Errorf("%d findings come back", n)
	}
}

// checkSARIF holds the members that SARIF 2.1.0 requires (sections 3.13, 3.14,
// 3.19, 3.27, 3.49), and that references lead somewhere.
func checkSARIF(t *testing.T, document []byte) {
	t.Helper()
	var doc struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID    string
						Short struct{ Text string } `json:"shortDescription"`
					}
				}
			}
			Invocations []any
			Results     []struct {
				RuleID    string `json:"ruleId"`
				RuleIndex *int   `json:"ruleIndex"`
				Kind      string
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					Physical *struct {
						Artifact struct{ URI string } `json:"artifactLocation"`
						Region   *struct{ StartLine int }
					} `json:"physicalLocation"`
				}
			}
		}
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != "2.1.0" || doc.Schema == "" || len(doc.Runs) != 3 {
		t.Errorf("version %q, %d runs", doc.Version, len(doc.Runs))
	}
	for _, run := range doc.Runs {
		if run.Tool.Driver.Name == "" || run.Invocations != nil {
			t.Errorf("run of %q with invocations %v", run.Tool.Driver.Name, run.Invocations)
		}
		seen := map[string]bool{}
		for _, r := range run.Tool.Driver.Rules {
			if r.ID == "" || r.Short.Text == "" || seen[r.ID] {
				t.Errorf("rule %+v", r)
			}
			seen[r.ID] = true
		}
		for _, r := range run.Results {
			if r.Message.Text == "" || r.Kind != "fail" || !slices.Contains([]string{"error", "warning", "note"}, r.Level) {
				t.Errorf("result %+v", r)
			}
			if r.RuleIndex != nil && (*r.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[*r.RuleIndex].ID != r.RuleID) {
				t.Errorf("result of rule %s has index %d", r.RuleID, *r.RuleIndex)
			}
			for _, l := range r.Locations {
				if l.Physical == nil {
					continue
				}
				if _, err := url.Parse(l.Physical.Artifact.URI); err != nil || l.Physical.Artifact.URI == "" || strings.Contains(l.Physical.Artifact.URI, " ") {
					t.Errorf("location %q: %v", l.Physical.Artifact.URI, err)
				}
				if l.Physical.Region != nil && l.Physical.Region.StartLine < 1 {
					t.Errorf("line %d", l.Physical.Region.StartLine)
				}
			}
		}
	}
}

// testEvidence: the excerpt is the very row, and no secret is in it (TRU6).
func testEvidence(t *testing.T, w *world) {
	one := func(filter string) string {
		t.Helper()
		ids := w.listed("admin", filter, "")
		if len(ids) != 1 {
			t.Fatalf("%s finds %d", filter, len(ids))
		}
		return ids[0]
	}
	show := func(id string) (e EvidenceExcerpt) {
		t.Helper()
		w.ok("admin", "GET", "/api/v1/findings/"+id+"/evidence", nil, &e)
		return e
	}
	e := show(one(ofMany + ` "Many 777"`))
	var row struct {
		Title string
		Line  int
	}
	if err := json.Unmarshal([]byte(e.Excerpt), &row); err != nil || row.Title != "Many 777" || row.Line != 778 {
		t.Errorf("row %s: %v", e.Excerpt, err)
	}
	if e.Media != "application/json" || e.Report != "many.json" || len(e.Digest) != 64 || e.Line != 1 || e.Truncated {
		t.Errorf("excerpt %+v", e)
	}
	e = show(one(ofMany + " class:secret"))
	if !strings.Contains(e.Excerpt, "sinew:secret:") || strings.Contains(e.Excerpt, "hunter2") {
		t.Errorf("excerpt of a secret: %s", e.Excerpt)
	}
	table := "title,severity,tool,rule,file,line\nfirst,high,csvtool,r1,a.go,1\n\"second, quoted\",low,csvtool,r2,b.go,2\nthird,low,csvtool,r3,c.go,3\n"
	var got importInfo
	w.ok("admin", "POST", "/api/v1/imports?wait=true&name=t.csv&target=git.example.org/shop/table", table, &got)
	e = show(one("target:git.example.org/shop/table rule:r2"))
	if e.Media != "text/csv" || e.Excerpt != `"second, quoted",low,csvtool,r2,b.go,2` || e.Line != 3 {
		t.Errorf("row of a table: %+v", e)
	}
	// The whole report, for who sees all of it.
	a := w.ok("admin", "GET", "/api/v1/snapshots/"+got.ID+"/evidence", nil, nil)
	if string(a.body) != table || !strings.Contains(a.header.Get("Content-Disposition"), "t.csv") {
		t.Errorf("report %q, %v", a.body, a.header)
	}
	id := one("target:git.example.org/shop/table rule:r1")
	digest, err := store.ParseDigest(e.Digest)
	w.must(err)
	_, err = w.db.DeleteBlobs(w.Context(), store.System(w.ws.ID), store.BlobEvidence, [][32]byte{digest}, "a request")
	w.must(err)
	if e = show(id); e.Deleted.IsZero() || e.Excerpt != "" {
		t.Errorf("after the deletion: %+v", e)
	}
	w.problem("viewer", "GET", "/api/v1/findings/"+w.foreign.finding+"/evidence", nil, 404)
}

func testBulk(t *testing.T, w *world) {
	filter := ofMany + " rule:r0,r1,r2,r3,r4,r5,r6"
	in := object{"filter": filter, "verdict": "false_positive", "reason": "made up", "owner": "nobody"}
	var preview decisionPreview
	w.ok("developer", "POST", "/api/v1/decisions/preview", in, &preview)
	if preview.Count != 1100 || preview.States["open"] != 1100 || len(preview.Items) != 50 {
		t.Errorf("preview %d %v, %d shown", preview.Count, preview.States, len(preview.Items))
	}
	var d accepted
	w.ok("developer", "POST", "/api/v1/decisions", in, &d)
	if d.Findings != 1100 {
		t.Errorf("decided %+v", d)
	}
	_, err := w.server.pipeline.Wait(w.Context(), w.ws.ID, d.Seq)
	w.must(err)
	if n := len(w.listed("viewer", ofMany+" is:false_positive owner:nobody", "")); n != 1100 {
		t.Errorf("%d are false positives", n)
	}
	var u undone
	w.ok("developer", "POST", "/api/v1/decisions/"+d.ID+"/undo", nil, &u)
	if u.Restored != 1100 || u.Kept != 0 || u.ID == "" || u.Seq <= d.Seq {
		t.Errorf("undone %+v", u)
	}
	_, err = w.server.pipeline.Wait(w.Context(), w.ws.ID, u.Seq)
	w.must(err)
	if n := len(w.listed("viewer", ofMany+" is:untriaged owner:none", "")); n != 1104 {
		t.Errorf("%d are untriaged again", n)
	}
	var l list[DecisionInfo]
	w.ok("viewer", "GET", "/api/v1/decisions?limit=2", nil, &l)
	if len(l.Items) != 2 || l.Items[0].Undoes != d.ID || l.Items[1].ID != d.ID || l.Items[1].UndoneBy != u.ID || l.Items[1].ByName != "developer" {
		t.Errorf("decisions %+v", l.Items)
	}
	var f findingDetail
	w.ok("viewer", "GET", "/api/v1/findings/"+preview.Items[0].ID, nil, &f)
	if n := len(f.Decisions); n != 2 || f.Decisions[0].ID != d.ID || f.Decisions[0].UndoneBy != u.ID || f.Decisions[0].ByName != "developer" ||
		f.Decisions[0].Reason != "made up" || f.Decisions[1].ID != u.ID || f.Decisions[1].UndoneBy != "" || f.Decisions[1].Reason != "" {
		t.Errorf("decisions on a finding %+v", f.Decisions)
	}
	if last := f.Events[len(f.Events)-1]; last.ActorName != "developer" || f.Events[0].ActorName != "" && f.Events[0].Actor == "system" {
		t.Errorf("who did what: %+v", f.Events)
	}
	if p := w.problem("developer", "POST", "/api/v1/decisions/"+d.ID+"/undo", nil, 409); p.Next == "" {
		t.Errorf("undone twice: %+v", p)
	}
}

func testCoverageRoute(t *testing.T, w *world) {
	var l list[CoverageRow]
	w.ok("viewer", "GET", "/api/v1/coverage?limit=1000", nil, &l)
	if len(l.Items) != len(ident.Tests) {
		t.Errorf("%d rows", len(l.Items))
	}
	for _, c := range l.Items {
		if c.Application != "shop" || (c.Test == ident.TestCode) != (c.Gap == ident.GapNone) && c.Required && c.Test == ident.TestCode {
			t.Errorf("%+v", c)
		}
	}
	var one list[CoverageRow]
	var all []CoverageRow
	for next := "/api/v1/coverage?limit=1"; next != ""; {
		a := w.ok("admin", "GET", next, nil, &one)
		all = append(all, one.Items...)
		next = strings.TrimSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
	}
	w.ok("admin", "GET", "/api/v1/coverage", nil, &l)
	if len(all) != len(l.Items) || len(all) < 2*len(ident.Tests) {
		t.Errorf("%d rows in pages, %d at once", len(all), len(l.Items))
	}
}

func testDetect(t *testing.T, w *world) {
	var d Detected
	w.ok("viewer", "POST", "/api/v1/formats/detect?name=p.json", probe(w.own, 2), &d)
	if d.Format != "generic" || !d.Certain || len(d.Candidates) != 1 {
		t.Errorf("detected %+v", d)
	}
	cut := `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"ruleId":"a`
	d = Detected{}
	w.ok("viewer", "POST", "/api/v1/formats/detect?name=p.sarif", cut, &d)
	if d.Format != "sarif" {
		t.Errorf("the beginning of a SARIF file: %+v", d)
	}
	d = Detected{}
	w.ok("viewer", "POST", "/api/v1/formats/detect", `{"hello":"world"}`, &d)
	if d.Format != "" || d.Why == "" || d.Certain {
		t.Errorf("something else: %+v", d)
	}
	w.ok("viewer", "POST", "/api/v1/formats/detect", "%PDF-1.4 ...", &d)
	if !strings.Contains(d.Why, "PDF") {
		t.Errorf("a PDF: %+v", d)
	}
	w.problem("viewer", "POST", "/api/v1/formats/detect", strings.Repeat("x", detectBytes+1), 413)
}

func testLogSearch(t *testing.T, w *world) {
	var l list[logEntry]
	w.ok("admin", "GET", "/api/v1/log?kind=decision&q=MADE+UP&order=newest&limit=5", nil, &l)
	if len(l.Items) != 1 || l.Items[0].Kind != sinew.EntryDecision {
		t.Errorf("found %+v", l.Items)
	}
	w.ok("admin", "GET", "/api/v1/log?actor=admin&kind=rules,snapshot&order=newest&limit=1", nil, &l)
	if len(l.Items) != 1 || l.Next == "" {
		t.Errorf("found %+v", l)
	}
	w.problem("admin", "GET", "/api/v1/log?order=sideways", nil, 400)
}

func testRulesPreview(t *testing.T, w *world) {
	document := rules + "  - name: depot\n    match: [{target: git.example.org/shop/many, path: conf}]\n"
	var c rulesChange
	w.ok("admin", "POST", "/api/v1/rules/preview", object{"document": document}, &c)
	if c.Moved != 1 || len(c.Samples) != 1 || c.Samples[0].From != "shop" || c.Samples[0].To != "depot" || !slices.Equal(c.Added, []string{"depot"}) ||
		len(c.Removed) != 0 || !slices.ContainsFunc(c.Findings, func(u unitChange) bool { return u == unitChange{"depot", 0, 1} }) {
		t.Errorf("preview %+v", c)
	}
}
