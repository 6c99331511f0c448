package store

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/sinew"
)

// The budgets of design 9 are for -rows=1000000.
var benchRows = flag.Int("rows", 20_000, "findings in the benchmarks")

var engines = []struct {
	name  string
	fresh func(testing.TB) string
}{
	{"sqlite", func(t testing.TB) string { return filepath.Join(t.TempDir(), "sinew.db") }},
	{"postgres", pgtest.URL},
}

func openTest(t testing.TB, dsn string) (*DB, sinew.Workspace) {
	t.Helper()
	db, err := Open(context.Background(), dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w, err := db.CreateWorkspace(context.Background(), "default")
	if err != nil {
		t.Fatal(err)
	}
	return db, w
}

// benchFinding is one of a million that look like those of a company: 50
// applications, 50 repositories, three tools, one in five closed.
func benchFinding(n int64) FindingRow {
	id := 5<<28 | n
	state := sinew.StateOpen
	switch {
	case n%5 == 1:
		state = sinew.StateFixed
	case n%50 == 2:
		state = sinew.StateAccepted
	}
	mix := uint64(n) * 0x9e3779b97f4a7c15 >> 16
	return FindingRow{
		ID: id, Family: 1 + n%50, Unit: n % 50, Place: 1 + n%50, Service: "", Class: sinew.ClassDependency,
		State: state, Severity: int(mix % 5), Tool: []string{"trivy", "grype", "semgrep"}[n%3],
		Rule:  fmt.Sprintf("CVE-2024-%d", mix%30000),
		Title: fmt.Sprintf("openssl-%d: a buffer overflow in the parser of certificates lets attackers run code", mix%9999),
		CWE:   " 787 ", IDs: fmt.Sprintf(" CVE-2024-%d GHSA-aaaa-%d ", mix%30000, mix%30000),
		File: fmt.Sprintf("services/web-%d/src/main/java/org/example/Handler%d.java", n%100, mix%5000), Line: int64(mix % 900),
		Package: fmt.Sprintf("package-%d", mix%3000), Version: "1.2.3", PURL: fmt.Sprintf("pkg:npm/package-%d@1.2.3", mix%3000),
		Host:      map[bool]string{true: fmt.Sprintf("host-%d", n%1000), false: ""}[n%10 == 0],
		FirstSeen: 1_700_000_000_000_000 + int64(mix%1_000_000)*1000, Since: 1_700_000_000_000_000 + int64(mix%1_000_000)*1000,
		ObsSeq: 5, ObsN: n,
	}
}

func benchPresence(n int64) PresenceRow {
	return PresenceRow{
		Finding: 5<<28 | n, Place: 1 + n%50, State: sinew.PresenceObserved, FirstSeen: 1_700_000_000_000_000, Since: 1_700_000_000_000_000,
		SinceSeq: 5, ObsSeq: 5, ObsN: n, ObsHash: n * 7919, Pass: 1, Line: n % 900,
		Tool: n * 31, Content: n * 37, PlaceKey: n * 41, Moved: n * 43, Near: n * 47,
	}
}

// fill writes n findings with a presence each, as the projector does: in
// transactions of 1,000 rows.
func fill(t testing.TB, db *DB, w sinew.Workspace, n int64) Space {
	ctx := context.Background()
	space, err := db.LiveSpace(ctx, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	err = db.write(ctx, func(t *tx) error {
		for i := int64(1); i <= 50; i++ {
			if _, err := t.ExecContext(ctx, `INSERT INTO family (space, id, source, tool, target, label, unit_id) VALUES ($1, $2, '', $3, $4, '', $5)`,
				space.ID, i, "trivy", fmt.Sprintf("git.example.org/shop/repo-%d", i), i%50); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `INSERT INTO place (space, id, family_id, kind, ref, environment, service, version, head_seq, seen_at, ended)
				VALUES ($1, $2, $2, 'default', 'main', '', '', '', 5, 1700000000000000, '')`, space.ID, i); err != nil {
				return err
			}
			if i < 50 {
				if _, err := t.ExecContext(ctx, `INSERT INTO unit (space, id, name, organisation, businessunit, services, gone) VALUES ($1, $2, $3, '', '', '', 0)`,
					space.ID, i, fmt.Sprintf("app-%d", i)); err != nil {
					return err
				}
			}
		}
		_, err := t.ExecContext(ctx, `UPDATE space SET live_gen = 1, projected_seq = 5 WHERE id = $1`, space.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var findings, presences []any
	segments, err := newSegmentWriter()
	if err != nil {
		t.Fatal(err)
	}
	for i := int64(0); i < n; {
		findings, presences = findings[:0], presences[:0]
		for end := min(i+500, n); i < end; i++ {
			f, p := benchFinding(i), benchPresence(i)
			f.GenFrom = 1
			segments.add(&f)
			findings = f.values(findings, space.ID, 1)
			presences = p.values(presences, space.ID, 1)
		}
		if err := db.write(ctx, func(t *tx) error {
			if err := bulkInsert(ctx, t, "finding", findingTable.cols, findings); err != nil {
				return err
			}
			if i == n {
				segments.cut()
			}
			if err := segments.save(ctx, t, space.ID); err != nil {
				return err
			}
			return bulkInsert(ctx, t, "presence", presenceTable.cols, presences)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.writer.ExecContext(ctx, `INSERT INTO counter (space, unit_id, dim, value, n)
		SELECT space, unit_id, 'state', state, COUNT(*) FROM finding GROUP BY space, unit_id, state`); err != nil {
		t.Fatal(err)
	}
	if db.Engine() == "postgres" {
		if _, err := db.writer.ExecContext(ctx, `ANALYZE`); err != nil {
			t.Fatal(err)
		}
	}
	return space
}

// BenchmarkBulkInsert is the floor of an import: a finding and its presence,
// in transactions of 1,000 rows.
func BenchmarkBulkInsert(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			for b.Loop() {
				db, w := openTest(b, engine.fresh(b))
				start := time.Now()
				fill(b, db, w, int64(*benchRows))
				b.ReportMetric(float64(*benchRows)/time.Since(start).Seconds(), "findings/s")
			}
		})
	}
}

// processorTime is what this process used so far. On a machine that is shared
// it says more than the clock; PostgreSQL's own is not in it.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listCases are pairs of filter and sort; published ones must answer within
// 100 ms at a million, the others within 500.
var listCases = []struct {
	filter, sort string
	published    bool
	units        []int64 // nil for a reader of everything
}{
	{"", "", true, nil},
	{"is:open", "", true, nil},
	{"is:open severity:critical", "", true, nil},
	{"severity:>=high", "", true, nil},
	{"app:app-3 is:open", "", true, nil},
	{"tool:trivy is:open", "", true, nil},
	{"class:dependency is:open", "", true, nil},
	{"target:git.example.org/shop/repo-7 is:open", "", true, nil},
	{"ref:main is:open", "", true, nil},
	{"", "-recorded", true, nil},
	{"is:open", "-recorded", true, nil},
	{"is:open", "-first_seen", false, nil},
	{"", "first_seen", false, nil},
	{"is:open", "-last_seen", false, nil},
	{"is:open", "-since", false, nil},
	{"is:open", "title", false, nil},
	{"id:CVE-2024-77", "", false, nil},
	{"id:CVE-1999-1", "", false, nil},
	{"package:package-5 is:open", "", false, nil},
	{"file:*Handler77.java", "", false, nil},
	{"host:host-10", "", false, nil},
	{"rule:CVE-1999-1", "", false, nil},
	{"nowhere-to-be-found", "", false, nil},
	{"first:<2d", "", false, nil},
	{"last:<2d", "", false, nil},
	{"severity:low,info -tool:trivy", "title", false, nil},
	{"", "", true, []int64{7}},
	{"", "", true, []int64{999}},
	{"severity:critical", "-since", false, []int64{7}},
}

func BenchmarkFindings(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			db, w := openTest(b, engine.fresh(b))
			start := time.Now()
			fill(b, db, w, int64(*benchRows))
			b.Logf("filled in %s", time.Since(start))
			for _, tc := range listCases {
				q, err := filter.Parse(tc.filter)
				if err != nil {
					b.Fatal(err)
				}
				r := System(w.ID)
				if tc.units != nil {
					r = sinew.Reader{Workspace: w.ID, Principal: "p", Units: map[int64]sinew.Role{}}
					for _, unit := range tc.units {
						r.Units[unit] = sinew.RoleViewer
					}
				}
				b.Run(strings.ReplaceAll(fmt.Sprintf("%s|%s|%v|%t", tc.filter, tc.sort, tc.units, tc.published), " ", "_"), func(b *testing.B) {
					before := processorTime(b)
					var list []sinew.Finding
					for b.Loop() {
						if list, _, err = db.Findings(context.Background(), r, q, Page{Sort: tc.sort}); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(len(list)), "rows")
					b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
				})
				b.Run(strings.ReplaceAll(fmt.Sprintf("count|%s|%v", tc.filter, tc.units), " ", "_"), func(b *testing.B) {
					before := processorTime(b)
					for b.Loop() {
						if _, err := db.Counts(context.Background(), r, q); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
				})
			}
		})
	}
}

// BenchmarkHashes is what a checkpoint costs.
func BenchmarkHashes(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			db, w := openTest(b, engine.fresh(b))
			space := fill(b, db, w, int64(*benchRows))
			b.Run("history", func(b *testing.B) {
				for b.Loop() {
					if _, err := db.HistoryHash(context.Background(), space.ID); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("state", func(b *testing.B) {
				for b.Loop() {
					if _, err := db.StateHash(context.Background(), space.ID); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkFinding is the detail of one finding; it must answer within 50 ms.
func BenchmarkFinding(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			db, w := openTest(b, engine.fresh(b))
			fill(b, db, w, int64(*benchRows))
			n := int64(0)
			for b.Loop() {
				n = (n + 7919) % int64(*benchRows)
				if _, err := db.Finding(context.Background(), System(w.ID), sinew.PublicID(w.UUID, sinew.IDFinding, 5<<28|n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
