package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestCause: what is mended in one place, of every kind (ING5).
func TestCause(t *testing.T) {
	pkg := func(name, version, purl string, fixed ...string) *sinew.Package {
		return &sinew.Package{Name: name, Version: version, PURL: purl, Fixed: fixed}
	}
	for _, tt := range []struct {
		name string
		o    sinew.Observation
		want string
		kind sinew.IssueKind
	}{
		{"package", sinew.Observation{Rule: "CVE-1", Package: pkg("lodash", "4.17.15", "pkg:npm/lodash@4.17.15", "4.17.19")}, "upgrade lodash (npm)", sinew.IssueUpgrade},
		{"another version of it", sinew.Observation{Rule: "CVE-2", Package: pkg("lodash", "3.0.0", "pkg:npm/lodash@3.0.0")}, "upgrade lodash (npm)", sinew.IssueUpgrade},
		{"package without URL", sinew.Observation{Package: pkg("lodash", "4.17.15", "")}, "upgrade lodash", sinew.IssueUpgrade},
		{"purl only", sinew.Observation{Package: pkg("", "", "pkg:maven/org.x/y%20z@1?type=jar#a", "2")}, "upgrade org.x/y z (maven)", sinew.IssueUpgrade},
		{"system package of an image", sinew.Observation{Image: "r.example.org:5000/shop/web:1.2@sha256:ab", Package: pkg("zlib", "1", "pkg:deb/debian/zlib@1", "2")}, "base image of r.example.org:5000/shop/web", sinew.IssueBaseImage},
		{"application package of an image", sinew.Observation{Image: "r/shop:1", Package: pkg("lodash", "1", "pkg:npm/lodash@1", "2")}, "upgrade lodash (npm)", sinew.IssueUpgrade},
		{"system package of a machine", sinew.Observation{Host: "web-1", Package: pkg("zlib", "1", "pkg:deb/debian/zlib@1", "2")}, "upgrade zlib (deb)", sinew.IssueUpgrade},
		{"secret", sinew.Observation{Rule: "aws", File: "a.env", Secret: "sinew:secret:k1:0123456789abcdef0123"}, "rotate secret 0123456789abcdef", sinew.IssueSecret},
		{"resource in a file", sinew.Observation{Rule: "CKV_1", File: "/infra/./a.tf", Resource: &sinew.Resource{Type: "aws_s3_bucket", ID: "x"}}, "template infra/a.tf", sinew.IssueTemplate},
		{"resource in a module", sinew.Observation{Rule: "CKV_1", File: "infra/modules/vpc/main.tf", Resource: &sinew.Resource{Type: "aws_subnet", ID: "module.a.aws_subnet.x"}}, "module infra/modules/vpc", sinew.IssueModule},
		{"modules in a module", sinew.Observation{Rule: "R", File: "modules/a/modules/b/x.tf", Resource: &sinew.Resource{Type: "t"}}, "module modules/a/modules/b", sinew.IssueModule},
		{"module from a registry", sinew.Observation{Rule: "R", File: ".terraform/modules/vpc/main.tf", Resource: &sinew.Resource{Type: "t"}}, "module vpc", sinew.IssueModule},
		{"module by address", sinew.Observation{Rule: "R", File: "plan.json", Resource: &sinew.Resource{Type: "t", ID: `module.vpc["a.b"].module.net[0].t.x`}}, "module vpc.net", sinew.IssueModule},
		{"chart", sinew.Observation{Rule: "R", File: "deploy/charts/web/templates/a.yaml", Resource: &sinew.Resource{Type: "Deployment"}}, "module deploy/charts/web", sinew.IssueModule},
		{"role", sinew.Observation{Rule: "R", File: "roles/nginx/tasks/main.yml", Resource: &sinew.Resource{Type: "file"}}, "module roles/nginx", sinew.IssueModule},
		{"a folder of that name", sinew.Observation{Rule: "R", File: "src/roles/admin/a.yml", Resource: &sinew.Resource{Type: "file"}}, "template src/roles/admin/a.yml", sinew.IssueTemplate},
		{"a file beside modules", sinew.Observation{Rule: "R", File: "modules/main.tf", Resource: &sinew.Resource{Type: "t"}}, "template modules/main.tf", sinew.IssueTemplate},
		{"live resource", sinew.Observation{Rule: "CKV_1", Resource: &sinew.Resource{Type: "aws_s3_bucket", ID: "arn:x"}}, "configuration: CKV_1 on aws_s3_bucket", sinew.IssueConfiguration},
		{"resource without type", sinew.Observation{Rule: "CKV_1", Resource: &sinew.Resource{ID: "x"}}, "configuration: CKV_1", sinew.IssueConfiguration},
		{"infrastructure without resource", sinew.Observation{Rule: "DS002", File: "web/Dockerfile", Line: 1}, "template web/Dockerfile", sinew.IssueTemplate},
		{"a file that only such tools read", sinew.Observation{Tool: "Checkov", Rule: "CKV_K8S_8", File: "k8s/web.yaml", Line: 1}, "template k8s/web.yaml", sinew.IssueTemplate},
		{"chart of a tool of several tests", sinew.Observation{Tool: "trivy", Rule: "KSV001", File: "charts/web/templates/a.yaml", Line: 1}, "module charts/web", sinew.IssueModule},
		{"code", sinew.Observation{Rule: "sqli", File: "src/db.go", Line: 7}, "code pattern sqli", sinew.IssueCode},
		{"code in modules", sinew.Observation{Rule: "sqli", File: "modules/db/src/db.go", Line: 7}, "code pattern sqli", sinew.IssueCode},
		{"web", sinew.Observation{Rule: "xss", Endpoint: &sinew.Endpoint{URL: "https://example.org:8443/a?b"}}, "endpoint example.org:8443: xss", sinew.IssueEndpoint},
		{"machine", sinew.Observation{Rule: "19506", Host: "web-1"}, "hosts: 19506", sinew.IssueHost},
		{"no rule", sinew.Observation{Title: "Something"}, "other: Something", sinew.IssueOther},
	} {
		if got := Cause(&tt.o); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := CauseKind(tt.want); got != tt.kind {
			t.Errorf("%s: of kind %s, want %s", tt.name, got, tt.kind)
		}
	}
	long := func(end string) string {
		return Cause(&sinew.Observation{Rule: strings.Repeat("ä/", 300) + end, File: "a"})
	}
	if a, b := long("a"), long("b"); a == b || len(a) > maxCause || len(b) > maxCause || a != long("a") {
		t.Errorf("long causes %q and %q", a, b)
	}
}

// TestIssueKey: the key of an issue depends on the unit and the cause alone, and
// differs when they do.
func TestIssueKey(t *testing.T) {
	seen := map[int64]string{}
	for _, unit := range []int64{0, 1, 1 << 28} {
		for _, cause := range []string{"upgrade a", "upgrade b", "upgrade a "} {
			key := IssueKey(unit, cause)
			if key <= 0 || key != IssueKey(unit, cause) || seen[key] != "" {
				t.Errorf("key %d of %d %q, and of %s", key, unit, cause, seen[key])
			}
			seen[key] = cause
		}
	}
	if key := IssueKey(1, ""); key != 0 {
		t.Errorf("key %d of no cause", key)
	}
	if name, ecosystem := CausePackage(Cause(&sinew.Observation{Package: &sinew.Package{PURL: "pkg:golang/example.org/a%20(b)@1"}})); name != "example.org/a (b)" || ecosystem != "golang" {
		t.Errorf("package %q of %q", name, ecosystem)
	}
}

// TestMatrix: what the rules need, what the scans did, and what is missing (ING9).
func TestMatrix(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	rules := func(coverage string) *Rules {
		r, err := ParseRules([]byte("schema: rules/v1\napplications: [{name: shop}, {name: bank}]\n" + coverage))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	scan := func(tool string, days int, more ...func(*Scan)) Scan {
		s := Scan{Tool: tool, Applications: []string{"shop"}, Tests: TestsOf(tool, false, nil), Counts: true, Last: day(days), Status: sinew.CoverageComplete}
		for _, m := range more {
			m(&s)
		}
		return s
	}
	branch, failed := func(s *Scan) { s.Counts = false }, func(s *Scan) { s.Failed = true }
	weekly := "coverage: [{test: code, every: 7d}, {application: ba*, test: code, every: never}, {application: bank, test: code, every: once}]\n"
	for _, tt := range []struct {
		name, rules, app string
		scans            []Scan
		want             Gap
		last, due        int // days ago; -1 for none
	}{
		{"nothing", weekly, "shop", nil, GapNever, -1, -1},
		{"in time", weekly, "shop", []Scan{scan("semgrep", 3)}, GapNone, 3, -4},
		{"late", weekly, "shop", []Scan{scan("semgrep", 9)}, GapOverdue, 9, 2},
		{"the newest counts", weekly, "shop", []Scan{scan("semgrep", 9), scan("codeql", 2)}, GapNone, 2, -5},
		{"another test", weekly, "shop", []Scan{scan("gitleaks", 1)}, GapNever, -1, -1},
		{"a branch where nothing else is", weekly, "shop", []Scan{scan("semgrep", 3, branch)}, GapNone, 3, -4},
		{"a branch beside main", weekly, "shop", []Scan{scan("semgrep", 9), scan("semgrep", 1, branch)}, GapOverdue, 9, 2},
		{"fails now", weekly, "shop", []Scan{scan("semgrep", 3, failed)}, GapFailed, 3, -4},
		{"one of two fails", weekly, "shop", []Scan{scan("semgrep", 3, failed), scan("codeql", 4)}, GapNone, 3, -4},
		{"the longer pattern wins", weekly, "bank", nil, GapNever, -1, -1},
		{"nobody's", weekly, "", nil, GapNotRequired, -1, -1},
		{"by default", "", "shop", []Scan{scan("semgrep", 20)}, GapNone, 20, -10},
		{"nothing is asked for", "coverage: []\n", "shop", nil, GapNotRequired, -1, -1},
	} {
		var got *Cell
		for _, c := range rules(tt.rules).Matrix([]string{tt.app}, tt.scans, now) {
			if c.Test == TestCode {
				got = &c
			}
		}
		want := func(n int) time.Time {
			if n == -1 {
				return time.Time{}
			}
			return day(n)
		}
		if got.Gap != tt.want || !got.Last.Equal(want(tt.last)) || tt.due != -1 && !got.Due.Equal(day(tt.due)) || tt.due == -1 && !got.Due.IsZero() {
			t.Errorf("%s: %+v, want gap %s", tt.name, got, tt.want)
		}
	}
	for coverage, want := range map[string]string{
		"coverage: [{test: [], every: 7d}]":                             "names no test",
		"coverage: [{test: colour, every: 7d}]":                         "there is no test",
		"coverage: [{test: code, every: weekly}]":                       "says not how often",
		"coverage: [{test: code, every: 0d}]":                           "says not how often",
		"coverage: [{test: code, every: 7d, app: x}]":                   "not known here",
		"coverage: [{application: \"[x\", test: code, every: 7d}]":      "is no pattern",
		"coverage:\n- {test: code, every: 7d}\n- {test: iac, every: x}": "line 4",
	} {
		_, err := ParseRules([]byte("schema: rules/v1\n" + coverage + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", coverage, err, want)
		}
	}
}

func TestTestsOf(t *testing.T) {
	for _, tt := range []struct {
		tool     string
		artifact bool
		found    []Found
		want     string
	}{
		{"Semgrep", false, nil, "code"},
		{"trivy", false, []Found{{sinew.ClassSecret, true}, {sinew.ClassResource, true}}, "dependency secret iac"},
		{"trivy", true, []Found{{sinew.ClassDependency, false}}, "container"},
		{"checkov", false, []Found{{sinew.ClassCode, true}}, "iac"},
		{"unheard-of", false, []Found{{sinew.ClassWeb, false}, {sinew.ClassHost, false}, {sinew.ClassResource, false}, {sinew.ClassOther, false}}, "web infrastructure"},
		{"unheard-of", false, nil, ""},
	} {
		var got []string
		for _, test := range TestsOf(tt.tool, tt.artifact, tt.found) {
			got = append(got, string(test))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.tool, tt.found, got, tt.want)
		}
	}
}
