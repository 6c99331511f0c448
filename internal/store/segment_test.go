package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

func TestFold(t *testing.T) {
	for n := range 40 {
		text := bytes.Repeat([]byte("aZ@[`{AzÄ\xff\x00M"), 4)[:n]
		want := bytes.Clone(text)
		for i, c := range want {
			if 'A' <= c && c <= 'Z' {
				want[i] = c + 'a' - 'A'
			}
		}
		if got := fold([]byte("X"), text); string(got) != "X"+string(want) {
			t.Errorf("fold %q = %q", text, got)
		}
	}
}

// TestTrigramFilter holds the filter to its promise: what is in a text passes.
func TestTrigramFilter(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 50, 3_000, 400_000} {
		var text []byte
		for i := 0; len(text) < size; i++ {
			text = fmt.Appendf(text, "Word%dx\x00", i*7919%100_003)
		}
		filter := make([]byte, 1<<trigramBits/8)
		addTrigrams(filter, text)
		filter = halved(filter)
		folded := fold(nil, text)
		for at := 0; at < len(folded); at += 1 + len(folded)/500 {
			for _, n := range []int{1, 2, 3, 9, 40} {
				if part := folded[at:min(at+n, len(folded))]; !mayHold(filter, part) {
					t.Fatalf("text of %d bytes: %q does not pass", size, part)
				}
			}
		}
		passed := 0
		for i := range 1000 {
			if mayHold(filter, fmt.Appendf(nil, "q%dz!%dk", i, i*31)) {
				passed++
			}
		}
		if size > 0 && passed > 50 {
			t.Errorf("text of %d bytes: %d of 1000 strangers pass a filter of %d bytes", size, passed, len(filter))
		}
	}
}

// segmentWorld is a projection that has lived: rows that changed, ended, came
// twice in one stage, moved on to other segments.
func segmentWorld(t *testing.T, db *DB, w sinew.Workspace) {
	ctx, random := t.Context(), rand.New(rand.NewPCG(1, 2))
	lease, err := db.AcquireLease(ctx, w.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	space, err := db.LiveSpace(ctx, w.ID)
	must(err)
	s, err := db.BeginStage(ctx, lease, w.ID, space.ID)
	must(err)
	for i := int64(1); i <= 4; i++ {
		s.SaveUnit(UnitRow{ID: i, Name: fmt.Sprintf("app-%d", i), Services: `[]`})
		s.SaveFamily(FamilyRow{ID: i, Tool: "trivy", Target: fmt.Sprintf("target/%d", i), Source: []string{"", "ci"}[i%2], Unit: i})
		s.SavePlace(PlaceRow{ID: i, Family: i, Kind: sinew.PlaceDefault, Ref: "main", Head: 1, SeenAt: 1_000_000 * i / 2})
	}
	_, err = s.Flip(ctx, Flip{})
	must(err)
	rows := map[int64]FindingRow{}
	for step := range int64(24) {
		s, err := db.BeginStage(ctx, lease, w.ID, space.ID)
		must(err)
		for range []int{900, 100, 20}[min(step, 2)] {
			f := randomFinding(random)
			f.ID = 1<<28 + int64(len(rows))
			f.ObsN = f.ID
			rows[f.ID] = f
			must(s.NewFinding(ctx, &f, "t"))
			if random.IntN(20) == 0 { // again in the same stage, in other words
				must(s.Flush(ctx))
				now := randomFinding(random)
				now.ID = f.ID
				must(s.ChangeFinding(ctx, &f, &now, "t"))
				rows[f.ID] = now
			}
		}
		must(s.Flush(ctx))
		changes, touched := 60, map[int64]bool{}
		if step == 5 {
			changes = len(rows) // everything is reworded
		}
		for i := range changes {
			id := 1<<28 + random.Int64N(int64(len(rows)))
			if step == 5 {
				id = 1<<28 + int64(i)
			}
			was := rows[id]
			if was.ID == 0 || touched[id] {
				continue
			}
			touched[id] = true
			if now := randomFinding(random); step != 5 && i%3 == 0 {
				must(s.EndFinding(ctx, &was, "t"))
				rows[id] = FindingRow{}
			} else {
				now.ID = id
				must(s.ChangeFinding(ctx, &was, &now, "t"))
				rows[id] = now
			}
		}
		if step%7 == 3 { // killed, and begun again
			must(s.Flush(ctx))
			must(s.Abort(ctx))
			rows = currentRows(t, db, w, space.ID)
			continue
		}
		_, err = s.Flip(ctx, Flip{})
		must(err)
		if step%5 == 4 {
			must(db.Sweep(ctx, lease, space.ID))
		}
	}
	must(lease.Release(ctx))
}

// currentRows are the rows that count, and empty ones for ids that were used.
func currentRows(t *testing.T, db *DB, w sinew.Workspace, space int64) map[int64]FindingRow {
	rows := map[int64]FindingRow{}
	err := db.view(t.Context(), System(w.ID), func(v *view) error {
		list, err := appendFindings(t.Context(), v.tx, nil, `SELECT `+findingSelect+` FROM finding WHERE space = $1 AND gen_to IS NULL`, space)
		var most int64
		for _, f := range list {
			rows[f.ID] = f
			most = max(most, f.ID)
		}
		for id := int64(1 << 28); id < most; id++ {
			if _, ok := rows[id]; !ok {
				rows[id] = FindingRow{}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// randomFinding takes its values from few, so that filters find something.
func randomFinding(r *rand.Rand) FindingRow {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	f := FindingRow{
		Family: 1 + r.Int64N(4), Unit: r.Int64N(5), Place: 1 + r.Int64N(4), Service: pick("", "web", "API"),
		Class: []sinew.Class{sinew.ClassCode, sinew.ClassWeb, sinew.ClassDependency}[r.IntN(3)], State: sinew.FindingStates[r.IntN(len(sinew.FindingStates))], Severity: r.IntN(5),
		Tool: pick("trivy", "Grype", "semgrep"), Rule: pick("CVE-2024-1", "cve-2024-11", "go.sql_injection", "50%_off", ""),
		Title: pick("Buffer overflow", "buffer OVERFLOW in a", "SQL injection", "Straße", "straSSe", `back\slash`, "a") + pick("", " 1", " 2"),
		CWE:   pick("", " 79 ", " 89 79 ", " 9 "), IDs: pick("", " CVE-2024-1 ", " CVE-2024-11 GHSA-x ", " GHSA-x CVE-2024-1 "),
		File: pick("", "src/a.go", "src/A.go", "src/dir/util.py", "lib/util_test.py"), Line: r.Int64N(30),
		Package: pick("", "openssl", "OpenSSL-dev"), PURL: pick("", "pkg:npm/a@1", "pkg:npm/b@1"), Image: pick("", "registry/x"),
		Host: pick("", "host-1", "HOST-1", "host-11"), Resource: pick("", "arn:aws:s3:::b"), Endpoint: pick("", "GET https://example.org/a?b"),
		Cause: pick("", "openssl 1.0", "OpenSSL 1.0"), Owner: pick("", "team-a", "team-b"),
		FirstSeen: 1_000_000 + r.Int64N(40)*100_000, Since: 1_000_000 + r.Int64N(40)*100_000, Reopened: max(0, r.Int64N(8)-6), ObsSeq: 1,
	}
	if r.IntN(2) == 0 {
		f.LastSeen = f.FirstSeen + r.Int64N(10)*100_000
	}
	return f
}

// segmentFilters are asked alone and in pairs.
var segmentFilters = []string{
	"", "is:open", "is:untriaged,fixed", "is:reopened", "-is:reopened,fixed", "-is:open", "severity:>=high", "-severity:low,info",
	"overflow", "-OVERFLOW", `"fer over"`, "a", "1,injection", "straße", "STRASSE", "50%", `"\\"`, "nowhere-to-be-found",
	"title", "tool:grype", "-tool:grype,trivy", "class:web", "service:none", "service:api,none", "rule:cve-2024-1", "rule:cve*1", "rule:~2024-1", "rule:*",
	"rule:50%_off", "rule:go.*sql*", "-rule:none", "rule:==CVE-2024-1", `rule:==""`, "-rule:==CVE-2024-1", "id:cve-2024-1", "id:cve*1", "id:none", "-id:~ghsa", "cwe:79", "cwe:9,none", "-cwe:79",
	"file:src/*", "file:*util*.py", "file:*.py,none", "-file:src/a.go", "package:openssl", "purl:pkg:npm/*@1", "image:none", "-image:registry/x",
	"host:host-1", "host:~ost-1", "resource:arn*b", "endpoint:*a?b", "cause:openssl*", "owner:team-a", "-owner:none", "owner:none",
	"app:app-1", "app:app-1,app-2", "-app:app-3", "app:none", "target:target/2", "-target:*", "source:none", "source:ci",
	"first:1970-01-01T00:00:03Z", "first:>=1970-01-01T00:00:02Z", "-since:<1970-01-01T00:00:03Z", "last:>=1970-01-01T00:00:02Z", "last:<1970-01-01T00:00:02Z",
	"line:>10", "kev:true", "ref:main", "env:none",
}

// TestSegmentsAnswerAsRows asks many questions of the segments and of the rows
// themselves, and compares.
func TestSegmentsAnswerAsRows(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			db, w := openTest(t, engine.fresh(t))
			segmentWorld(t, db, w)
			random := rand.New(rand.NewPCG(3, 4))
			filters := slices.Clone(segmentFilters)
			for range 80 {
				filters = append(filters, segmentFilters[random.IntN(len(segmentFilters))]+" "+segmentFilters[random.IntN(len(segmentFilters))])
			}
			answered := 0
			for i, text := range filters {
				q, err := filter.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				r := System(w.ID)
				if i%3 == 1 {
					r = sinew.Reader{Workspace: w.ID, Principal: "p", Units: map[int64]sinew.Role{1: sinew.RoleViewer, 4: sinew.RoleAdmin}}
				}
				err = db.view(t.Context(), r, func(v *view) error {
					answered += sameAnswers(t, v, q, FindingSorts[i%len(FindingSorts)])
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if answered < len(filters)*9/10 {
				t.Errorf("the segments answered %d of %d questions", answered, len(filters))
			}
		})
	}
}

func sameAnswers(t *testing.T, v *view, q *filter.Query, sort string) (answered int) {
	t.Helper()
	ctx := context.Background()
	what := fmt.Sprintf("%q by %s", q, sort)
	o, err := orderOf(sort)
	if err != nil {
		t.Fatal(err)
	}
	where, _, err := v.matching(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(after *findingKey, limit int) []findingKey {
		list, err := v.sort(ctx, o, where, access{}, after, limit)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return list
	}
	all := plain(nil, 1_000_000)
	var after *findingKey
	for _, limit := range []int{1, 50, 1_000_000} {
		got, ok, err := v.skimKeys(ctx, q, &o, where, after, limit)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want := plain(after, limit); ok && !slices.Equal(got, want) {
			t.Fatalf("%s after %v: %d findings, want %d: %s", what, after, len(got), len(want), firstDifference(got, want))
		}
		if !ok {
			return 0
		}
		if len(got) == 0 {
			break
		}
		after = &got[len(got)-1]
	}
	count, ok, err := v.skimCount(ctx, q, where)
	if err != nil || !ok || count.Total != int64(len(all)) {
		t.Fatalf("%s: counted %v (%t), want %d: %v", what, count, ok, len(all), err)
	}
	return 1
}

func firstDifference(got, want []findingKey) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d %v, want %v", i, got[i], want[i])
		}
	}
	return "one ends early"
}

// TestSegmentsStaySmall sees that compaction keeps the entries near the number
// of findings, and the segments few.
func TestSegmentsStaySmall(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			db, w := openTest(t, engine.fresh(t))
			segmentWorld(t, db, w)
			space, err := db.LiveSpace(t.Context(), w.ID)
			if err != nil {
				t.Fatal(err)
			}
			lease, err := db.AcquireLease(t.Context(), w.ID, "test")
			if err != nil {
				t.Fatal(err)
			}
			look := func() (segments, entries int64, keys string) {
				var b strings.Builder
				err := db.view(t.Context(), System(w.ID), func(v *view) error {
					if err := v.QueryRowContext(t.Context(), `SELECT COUNT(*), SUM(entries) FROM finding_segment WHERE space = $1`, space.ID).Scan(&segments, &entries); err != nil {
						return err
					}
					o, err := orderOf("title")
					if err != nil {
						return err
					}
					where, _, err := v.matching(t.Context(), nil)
					if err != nil {
						return err
					}
					list, _, err := v.skimKeys(t.Context(), nil, &o, where, nil, 1_000_000)
					fmt.Fprint(&b, list)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return segments, entries, b.String()
			}
			_, was, keys := look()
			s := &Stage{db: db, lease: lease, ws: w.ID, space: space.ID}
			if err := s.compactBeyond(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			segments, entries, same := look()
			if rows := int64(len(currentRows(t, db, w, space.ID))); entries >= was || entries > 2*rows || segments > segmentsSmall+4 {
				t.Errorf("%d segments with %d entries (%d before) of some %d findings", segments, entries, was, rows)
			}
			if same != keys {
				t.Error("compaction changed what the segments say")
			}
			if err := db.reindexFindings(t.Context(), lease, space.ID); err != nil {
				t.Fatal(err)
			}
			if segments, _, same := look(); same != keys || segments != 1 {
				t.Errorf("%d segments after indexing anew say the same: %t", segments, same == keys)
			}
			if err := lease.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// BenchmarkSegmentWriter is what an import pays for the segments.
func BenchmarkSegmentWriter(b *testing.B) {
	w, err := newSegmentWriter()
	if err != nil {
		b.Fatal(err)
	}
	var n, size int64
	for b.Loop() {
		f := benchFinding(n)
		w.add(&f)
		n++
		for _, s := range w.done {
			size += int64(len(s.numbers) + len(s.texts) + len(s.trigrams))
		}
		w.done = w.done[:0]
	}
	b.ReportMetric(float64(size)/float64(n), "bytes/finding")
}

// TestSortsArePacked sees that no sort reads the whole table for want of a
// column in the segments.
func TestSortsArePacked(t *testing.T) {
	for _, sort := range FindingSorts {
		o, err := orderOf(sort)
		if err != nil || !o.packed() {
			t.Errorf("entries do not know how to sort by %s (%v)", sort, err)
		}
	}
	if (order{numbers: []string{"f.line"}}).packed() || (order{text: "f.file"}).packed() {
		t.Error("a sort that entries know nothing of is answered by them")
	}
}
