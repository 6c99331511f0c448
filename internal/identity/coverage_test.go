package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

func scope(list ...string) sinew.Scope {
	var s sinew.Scope
	for _, p := range list {
		switch {
		case p == "all":
			s.All = true
		case strings.HasPrefix(p, "!"):
			s.Exclude = append(s.Exclude, p[1:])
		default:
			s.Include = append(s.Include, p)
		}
	}
	return s
}

// ING6: the first table of docs/decisions/003-streams-and-coverage.md, every cell.
const coversTable = `
status   | not told | all     | included | not included | excluded
complete | unknown  | yes     | yes      | no           | no
partial  | unknown  | unknown | yes      | no           | no
failed   | no       | no      | no       | no           | no
-        | unknown  | unknown | yes      | no           | no
`

var tableScopes = map[string]sinew.Scope{
	"not told": {}, "all": scope("all"), "included": scope("in/**"), "not included": scope("out/**"),
	"excluded": scope("all", "!in/**"),
}

func TestCoversTable(t *testing.T) {
	header, rows := cells(coversTable)
	for _, row := range rows {
		for i, column := range header[1:] {
			c := sinew.Coverage{Status: sinew.CoverageStatus(strings.Trim(row[0], "-")), Rules: tableScopes[column]}
			if got := Covers(c, sinew.ClassDependency, "in/rule", "", ""); got.String() != row[i+1] {
				t.Errorf("%s, %s: %s, want %s", row[0], column, got, row[i+1])
			}
		}
	}
	excludes := sinew.Coverage{Status: sinew.CoverageComplete, Rules: scope("in/**", "!in/rule")}
	if got := Covers(excludes, sinew.ClassDependency, "in/rule", "", ""); got != No {
		t.Errorf("included and excluded: %s", got)
	}
}

// ING6: which dimensions a class asks, every class with every combination of answers;
// the weakest wins.
func TestCoversClasses(t *testing.T) {
	asked := map[string]string{
		"code a.go": "rules paths", "secret a.env": "rules paths", "secret": "rules paths", "dependency go.sum": "rules paths",
		"dependency": "rules", "web": "rules hosts", "host": "rules hosts", "resource": "rules hosts",
		"resource main.tf": "rules paths hosts", "other": "rules, paths if told", "other a.go": "rules, paths if told",
	}
	for _, class := range []sinew.Class{
		sinew.ClassCode, sinew.ClassDependency, sinew.ClassSecret, sinew.ClassResource, sinew.ClassWeb, sinew.ClassHost, sinew.ClassOther,
	} {
		if !slices.ContainsFunc(sortedKeys(asked), func(s string) bool { return strings.HasPrefix(s, string(class)) }) {
			t.Errorf("class %s is not in the table", class)
		}
	}
	answers := []struct {
		scope sinew.Scope
		want  Answer
		told  bool
	}{{scope("else/**"), No, true}, {sinew.Scope{}, Unknown, false}, {scope("all"), Yes, true}}
	for what, dims := range asked {
		class, path, _ := strings.Cut(what, " ")
		for _, rules := range answers {
			for _, paths := range answers {
				for _, hosts := range answers {
					c := sinew.Coverage{Status: sinew.CoverageComplete, Rules: rules.scope, Paths: paths.scope, Hosts: hosts.scope}
					want := rules.want
					if strings.Contains(dims, "paths") && (paths.told || !strings.Contains(dims, "if told")) {
						want = min(want, paths.want)
					}
					if strings.Contains(dims, "hosts") {
						want = min(want, hosts.want)
					}
					got := Covers(c, sinew.Class(class), "r", path, "h")
					if got != want {
						t.Errorf("%s with rules %s, paths %s, hosts %s: %s, want %s", what, rules.want, paths.want, hosts.want, got, want)
					}
					if a, why := IndexCoverage(c).Explain(sinew.Class(class), "r", path, "h"); a != got || why == "" {
						t.Errorf("%s is explained as %s, %q", got, a, why)
					}
				}
			}
		}
	}
}

func TestExplainCoverage(t *testing.T) {
	for _, tt := range []struct {
		c    sinew.Coverage
		want string
	}{
		{sinew.Coverage{Status: sinew.CoverageFailed, Rules: scope("all")}, "the scan failed"},
		{sinew.Coverage{Rules: scope("all"), Paths: scope("b.go"), Status: sinew.CoverageComplete}, "the scan did not look there: its paths do not include it"},
		{sinew.Coverage{Rules: scope("all"), Status: sinew.CoverageComplete}, "the scan does not tell which paths it looked at"},
		{sinew.Coverage{Rules: scope("all"), Paths: scope("a.go"), Status: sinew.CoveragePartial}, "the scan was partial and does not tell which rules it left out"},
		{sinew.Coverage{Rules: scope("r"), Paths: scope("a.go")}, "the scan looked there"},
	} {
		if _, why := IndexCoverage(tt.c).Explain(sinew.ClassCode, "r", "a.go", ""); why != tt.want {
			t.Errorf("%+v: %q, want %q", tt.c, why, tt.want)
		}
	}
}

// ING6: what is one place and what is not. Includes are strict, excludes generous.
func TestScopes(t *testing.T) {
	tests := []struct {
		dim   int
		scope string
		name  string
		want  Answer
	}{
		{dimPaths, "src/**", "src/a/b.go", Yes},
		{dimPaths, "src/*", "src/a/b.go", No},
		{dimPaths, "./src/a.go", "src/a.go", Yes},
		{dimPaths, "src/a.go", "./src//a.go", Yes},
		{dimPaths, `src\a.go`, "src/a.go", Yes},
		{dimPaths, "/src/a.go", "src/a.go", Yes},
		{dimPaths, "src/", "src/a.go", Yes},
		{dimPaths, "src", "src/a.go", No},
		{dimPaths, ".", "src/a.go", Yes},
		{dimPaths, "Src/**", "src/a.go", No},
		{dimPaths, "**/*.go", "src/a.go", Yes},
		{dimPaths, "**/*.go", "a.go", Yes},
		{dimPaths, "pages/[id].tsx", "pages/[id].tsx", Yes},
		{dimPaths, "pages/[id", "pages/[id", Yes},
		{dimPaths, "**", "", No},
		{dimPaths, "all", "", Yes},
		{dimPaths, "all !vendor", "vendor/a.go", No},
		{dimPaths, "all !vendor", "x/vendor/a.go", No},
		{dimPaths, "all !Vendor/", "vendor/a.go", No},
		{dimPaths, "all !*.min.js", "x/y.min.js", No},
		{dimPaths, "all !a/b", "a/b/c", No},
		{dimPaths, "all !a/b", "a/bc", Yes},
		{dimPaths, "all ![", "a", No},
		{dimPaths, "!vendor", "a", Unknown},
		{dimRules, "java/sql-injection", "java/sql-injection", Yes},
		{dimRules, "java/**", "java/sql-injection", Yes},
		{dimRules, "py[1]", "py[1]", Yes},
		{dimRules, "java", "JAVA", No},
		{dimRules, "all !java", "JAVA", No},
		{dimRules, "x", "", No},
		{dimRules, "**", "", No},
		{dimHosts, "web-1.example.org", "WEB-1.example.org.", Yes},
		{dimHosts, "*.example.org", "web-1.example.org", Yes},
		{dimHosts, "web-1", "web-2", No},
		{dimHosts, "10.0.0.0/24", "10.0.0.7", Yes},
		{dimHosts, "10.0.0.0/24", "10.0.1.7", No},
		{dimHosts, "10.0.0.0/24", "https://10.0.0.7:8443/x", Yes},
		{dimHosts, "10.0.0.0/24", "web-1", No},
		{dimHosts, "2001:db8::/32", "[2001:db8::1]:443", Yes},
		{dimHosts, "2001:DB8:0::1", "2001:db8::1", Yes},
		{dimHosts, "10.0.0.7", "::ffff:10.0.0.7", Yes},
		{dimHosts, "shop.example", "https://Shop.example/a?b=c", Yes},
		{dimHosts, "https://shop.example", "https://shop.example/a", Yes},
		{dimHosts, "https://shop.example/", "https://shop.example/a/b", Yes},
		{dimHosts, "https://shop.example", "http://shop.example/a", No},
		{dimHosts, "http://shop.example:8080", "http://shop.example:8080/a", Yes},
		{dimHosts, "https://shop.example/api/**", "https://shop.example/api/v1/x", Yes},
		{dimHosts, "https://shop.example/api/", "https://shop.example/api/v1/x", Yes},
		{dimHosts, "https://shop.example/api/**", "https://shop.example/admin", No},
		{dimHosts, "arn:aws:s3:::bucket", "arn:aws:s3:::Bucket", Yes},
		{dimHosts, "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/admin", Yes},
		{dimHosts, "123456789012", "arn:aws:s3:::bucket\n123456789012", Yes},
		{dimHosts, "web-1", "", No},
		{dimHosts, "all !10.0.0.0/24", "10.0.0.7", No},
		{dimHosts, "all !10.0.0.0/24", "10.0.1.7", Yes},
		{dimHosts, "all !10.0.0.0/24", "web-1", Unknown},
		{dimHosts, "all !shop.example", "https://shop.example/a", No},
		{dimHosts, "all !https://shop.example", "shop.example", No},
		{dimHosts, "all !https://shop.example/admin", "https://shop.example/admin/x", No},
		{dimHosts, "all !https://shop.example/admin", "https://shop.example/cart", Yes},
	}
	for _, tt := range tests {
		c := sinew.Coverage{Status: sinew.CoverageComplete}
		s := scope(strings.Fields(tt.scope)...)
		x := IndexCoverage(c)
		x.dims[tt.dim] = indexScope(s, tt.dim)
		if got := x.answer(tt.dim, tt.name); got != tt.want {
			t.Errorf("%s %q of %q: %s, want %s", dimNames[tt.dim], tt.name, tt.scope, got, tt.want)
		}
	}
}

func coverage(status sinew.CoverageStatus, basis sinew.Basis, rules, paths, hosts string) sinew.Coverage {
	return sinew.Coverage{
		Status: status, Basis: basis, Rules: scope(strings.Fields(rules)...), Paths: scope(strings.Fields(paths)...),
		Hosts: scope(strings.Fields(hosts)...),
	}
}

// ING6: the report's word and the uploader's.
func TestCombine(t *testing.T) {
	const (
		unknown, complete = sinew.CoverageUnknown, sinew.CoverageComplete
		partial, failed   = sinew.CoveragePartial, sinew.CoverageFailed
		none, proven      = sinew.BasisNone, sinew.BasisProven
		declared          = sinew.BasisDeclared
	)
	tests := []struct {
		name             string
		report, uploader sinew.Coverage
		want             sinew.Coverage
	}{
		{"nobody says anything", sinew.Coverage{}, sinew.Coverage{}, sinew.Coverage{}},
		{"the report alone", coverage(complete, proven, "a", "", ""), sinew.Coverage{}, coverage(complete, proven, "a", "", "")},
		{"the report's word is proof", coverage(complete, none, "a", "", ""), sinew.Coverage{}, coverage(complete, proven, "a", "", "")},
		{
			"complete without dimensions is all",
			sinew.Coverage{},
			coverage(complete, declared, "", "", ""),
			coverage(complete, declared, "all", "all", "all"),
		},
		{
			"complete with a limit says all of the rest",
			sinew.Coverage{},
			coverage(complete, declared, "", "src/**", ""),
			coverage(complete, declared, "all", "src/**", "all"),
		},
		{
			"never beyond a list of the report", coverage(unknown, proven, "", "a.go b.go", ""), coverage(complete, declared, "", "", ""),
			coverage(complete, declared, "all", "a.go b.go", "all"),
		},
		{
			"the intersection of two lists", coverage(complete, proven, "all", "src/a.go src/b.go lib/c.go", ""),
			coverage(unknown, declared, "", "src/**", ""), coverage(complete, proven, "all", "src/a.go src/b.go", ""),
		},
		{
			"a list within a glob of the report", coverage(complete, proven, "", "src/**", ""), coverage(unknown, declared, "", "src/a.go x.go src/b/**", ""),
			coverage(complete, proven, "", "src/a.go src/b/**", ""),
		},
		{
			"globs that overlap in part are lost", coverage(complete, proven, "", "src/**", ""), coverage(unknown, declared, "", "**/*.go", ""),
			coverage(complete, proven, "", "", ""),
		},
		{
			"networks", coverage(complete, proven, "all", "", "10.0.0.0/16"), coverage(unknown, declared, "", "", "10.0.1.0/24 10.1.0.0/24 10.0.0.9"),
			coverage(complete, proven, "all", "", "10.0.0.9 10.0.1.0/24"),
		},
		{
			"a narrowed scope of a complete report is still proven", coverage(complete, proven, "all", "all", ""),
			coverage(unknown, declared, "", "src/**", ""), coverage(complete, proven, "all", "src/**", ""),
		},
		{
			"excludes of both", coverage(complete, proven, "all", "all !x", ""), coverage(unknown, declared, "", "all !y", ""),
			coverage(complete, proven, "all", "all !x !y", ""),
		},
		{
			"the worse status: declared partial", coverage(complete, proven, "all", "all", ""), coverage(partial, declared, "", "", ""),
			coverage(partial, proven, "all", "all", ""),
		},
		{
			"the worse status: the report failed", coverage(failed, proven, "", "", ""), coverage(complete, declared, "", "", ""),
			coverage(failed, proven, "", "", ""),
		},
		{
			"a partial report is not widened", coverage(partial, proven, "all", "", ""), coverage(complete, declared, "", "src/**", ""),
			coverage(partial, proven, "all", "", ""),
		},
		{
			"a partial report is narrowed", coverage(partial, proven, "all", "src/a.go src/b.go", ""), coverage(complete, declared, "", "src/a.go", ""),
			coverage(partial, proven, "all", "src/a.go", ""),
		},
		{
			"the uploader tells what the report does not", coverage(complete, proven, "all", "", ""), coverage(unknown, declared, "", "src/**", ""),
			coverage(complete, declared, "all", "src/**", ""),
		},
	}
	for _, tt := range tests {
		got := Combine(tt.report, tt.uploader)
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.name, got, tt.want)
		}
	}
}

// ING6: whatever is declared, it never answers yes where a report that is partial,
// failed, or a list does not; and what is called proven the report alone answers.
func TestCombineProperties(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	patterns := []string{"**", "a/**", "a/b/**", "a/b/c", "a/x", "d", "**/*.go", "a/*.go", "a/m.go", "*"}
	names := []string{"a/b/c", "a/x", "d", "a/m.go", "a/b/n.go", "o.go", "z/z"}
	statuses := []sinew.CoverageStatus{sinew.CoverageUnknown, sinew.CoverageComplete, sinew.CoveragePartial, sinew.CoverageFailed}
	some := func() sinew.Scope {
		var s sinew.Scope
		switch r.IntN(4) {
		case 0:
			s.All = true
		case 1, 2:
			for range 1 + r.IntN(3) {
				s.Include = append(s.Include, patterns[r.IntN(len(patterns))])
			}
		}
		if r.IntN(3) == 0 {
			s.Exclude = append(s.Exclude, patterns[r.IntN(len(patterns))])
		}
		return s
	}
	covers := func() sinew.Coverage {
		return sinew.Coverage{Status: statuses[r.IntN(4)], Rules: some(), Paths: some(), Hosts: some()}
	}
	closed := 0
	for range 4000 {
		report, declared := covers(), covers()
		report.Basis, declared.Basis = sinew.BasisProven, sinew.BasisDeclared
		if r.IntN(4) == 0 {
			declared = sinew.Coverage{Status: declared.Status, Basis: sinew.BasisDeclared}
		}
		c := Combine(report, declared)
		for _, rule := range names {
			for _, path := range names {
				got := Covers(c, sinew.ClassCode, rule, path, "")
				if got != Yes {
					continue
				}
				closed++
				alone := Covers(report, sinew.ClassCode, rule, path, "")
				fixed := report.Status == sinew.CoveragePartial || report.Status == sinew.CoverageFailed
				if alone == No || alone == Unknown && (fixed || c.Basis == sinew.BasisProven) || declared.Status == sinew.CoverageFailed {
					t.Fatalf("%s %s: yes by %s\nreport   %+v says %s\ndeclared %+v\ntogether %+v", rule, path, c.Basis, report, alone, declared, c)
				}
			}
		}
	}
	if closed == 0 {
		t.Error("nothing was ever covered: the test tests nothing")
	}
}

func TestIncludes(t *testing.T) {
	tests := []struct {
		a, b string // scope of paths
		want bool
	}{
		{"all", "all", true},
		{"all", "src/**", true},
		{"all", "", true},
		{"src/**", "all", false},
		{"src/**", "src/a.go src/b/**", true},
		{"src/**", "src/a.go lib/b.go", false},
		{"src/a.go", "src/**", false},
		{"src/*", "src/**", false},
		{"**", "src/**", true},
		{"src/**", "src/*.go", true},
		{"", "", true},
		{"", "src/**", false},
		{"", "all", false},
		{"all !vendor", "all", false},
		{"all !vendor", "all !vendor !x", true},
		{"all", "all !vendor", true},
		{"src/** !src/x", "src/a.go", false},
	}
	for _, tt := range tests {
		a, b := coverage("", "", "", tt.a, ""), coverage("", "", "", tt.b, "")
		if got := Includes(a, b); got != tt.want {
			t.Errorf("%q includes %q: %v", tt.a, tt.b, got)
		}
		a.Rules, b.Rules = scope("x"), scope("all")
		if Includes(a, b) {
			t.Errorf("%q includes %q although its rules do not", tt.a, tt.b)
		}
	}
}

func BenchmarkCovers(b *testing.B) {
	var files []string
	for i := range 50_000 {
		files = append(files, fmt.Sprintf("services/part%d/file%d.go", i%97, i))
	}
	c := sinew.Coverage{Status: sinew.CoverageComplete, Rules: scope("all"), Paths: sinew.Scope{Include: append(files, "lib/**"), Exclude: []string{"vendor/**"}}}
	x := IndexCoverage(c)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		x.Covers(sinew.ClassCode, "rule", files[i%len(files)], "")
		i++
	}
}
