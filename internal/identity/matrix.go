package identity

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Test is a kind of security test, the columns of the coverage matrix.
type Test string

// The tests.
const (
	TestCode           Test = "code"           // of source code
	TestDependency     Test = "dependency"     // of the packages that a repository names
	TestSecret         Test = "secret"         // for credentials
	TestIaC            Test = "iac"            // of infrastructure described in files
	TestContainer      Test = "container"      // of built images
	TestWeb            Test = "web"            // of what runs, from outside
	TestInfrastructure Test = "infrastructure" // of machines, accounts and clusters
)

// Tests lists every test, in the order of the matrix.
var Tests = []Test{TestCode, TestDependency, TestSecret, TestIaC, TestContainer, TestWeb, TestInfrastructure}

// CoverageRule says which tests some applications need, and how often.
type CoverageRule struct {
	Application string   `yaml:"application,omitempty" json:"application,omitempty"` // glob; empty for all
	Test        TestList `yaml:"test" json:"test"`
	Every       string   `yaml:"every" json:"every"` // 7d, 2w, 12h; once: no due date; never: not needed
}

// TestList is one test or several.
type TestList []Test

// UnmarshalYAML takes a word for a list of one.
func (l *TestList) UnmarshalYAML(decode func(any) error) error {
	var one Test
	if err := decode(&one); err == nil {
		*l = TestList{one}
		return nil
	}
	var list []Test
	if err := decode(&list); err != nil {
		return err
	}
	*l = list
	return nil
}

// defaultCoverage holds where the rules have no section coverage.
var defaultCoverage = []CoverageRule{{Test: TestList{TestCode, TestDependency, TestSecret}, Every: "30d"}}

var everyForm = regexp.MustCompile(`^([1-9][0-9]{0,4})(h|d|w)$`)

// every reads how often; required is false for never, the duration 0 for once.
func (c *CoverageRule) every() (d time.Duration, required, ok bool) {
	switch c.Every {
	case "never":
		return 0, false, true
	case "once":
		return 0, true, true
	}
	m := everyForm.FindStringSubmatch(c.Every)
	if m == nil {
		return 0, false, false
	}
	n, err := strconv.Atoi(m[1])
	hours := map[string]int{"h": 1, "d": 24, "w": 7 * 24}[m[2]]
	return time.Duration(n*hours) * time.Hour, true, err == nil
}

func (v *rulesValidator) coverage(rules []CoverageRule) {
	for i, c := range rules {
		at := fmt.Sprintf("coverage[%d]", i)
		v.glob(at+".application", c.Application)
		if len(c.Test) == 0 {
			v.fail(at, "the coverage rule names no test", "name one of code, dependency, secret, iac, container, web, infrastructure")
		}
		for _, t := range c.Test {
			if !slices.Contains(Tests, t) {
				v.fail(at+".test", fmt.Sprintf("there is no test %q", t), "use code, dependency, secret, iac, container, web or infrastructure")
			}
		}
		if _, _, ok := c.every(); !ok {
			v.fail(at+".every", fmt.Sprintf("%q says not how often", c.Every), "write 12h, 7d or 2w; once for no due date; never for not needed")
		}
	}
}

// Need is what the rules ask of an application and a test.
type Need struct {
	Required bool
	Every    time.Duration // 0: once is enough
}

// Need says whether an application needs a test. Of the rules that match, the one
// with the most literal characters wins, then the one written first.
func (r *Rules) Need(application string, test Test) Need {
	rules := defaultCoverage
	if r.Coverage != nil {
		rules = *r.Coverage
	}
	var need Need
	best := -1
	for i := range rules {
		c := &rules[i]
		if !slices.Contains(c.Test, test) || c.Application != "" && !foldGlob(c.Application, application) {
			continue
		}
		if w := literals(c.Application); w > best {
			best = w
			need.Every, need.Required, _ = c.every()
		}
	}
	return need
}

// Claims lists the applications of which a part may be in a target, whatever the
// path: a repository of several has them all.
func (r *Rules) Claims(target, ref string) []string {
	var out []string
	for _, rule := range r.Narrow(target, ref).ready().owners {
		named := slices.ContainsFunc(rule.conds, func(c *Cond) bool { return c.Target != "" })
		if named && !slices.Contains(out, rule.is.Application) {
			out = append(out, rule.is.Application)
		}
	}
	return out
}

// toolTests says what the tools test that do one thing only, or that find nothing
// for long. What others test is seen from what they found.
var toolTests = map[string][]Test{
	"semgrep": {TestCode}, "codeql": {TestCode}, "gosec": {TestCode}, "bandit": {TestCode}, "sonarqube": {TestCode}, "snyk-code": {TestCode},
	"brakeman": {TestCode}, "spotbugs": {TestCode}, "eslint": {TestCode}, "checkmarx": {TestCode}, "fortify": {TestCode},
	"gitleaks": {TestSecret}, "trufflehog": {TestSecret}, "detect-secrets": {TestSecret}, "ggshield": {TestSecret},
	"checkov": {TestIaC}, "tfsec": {TestIaC}, "terrascan": {TestIaC}, "kics": {TestIaC}, "hadolint": {TestIaC}, "kube-linter": {TestIaC},
	"trivy": {TestDependency}, "grype": {TestDependency}, "osv-scanner": {TestDependency}, "cyclonedx": {TestDependency},
	"npm-audit": {TestDependency}, "govulncheck": {TestDependency}, "pip-audit": {TestDependency}, "dependency-check": {TestDependency},
	"zap": {TestWeb}, "nuclei": {TestWeb}, "burp": {TestWeb}, "nikto": {TestWeb},
	"nessus": {TestInfrastructure}, "tenable": {TestInfrastructure}, "openvas": {TestInfrastructure}, "qualys": {TestInfrastructure},
	"prowler": {TestInfrastructure}, "scoutsuite": {TestInfrastructure}, "kube-bench": {TestInfrastructure}, "lynis": {TestInfrastructure},
}

// Found is something that a stream has shown: the class of a finding, and whether
// it is in a file.
type Found struct {
	Class  sinew.Class
	InFile bool
}

// TestsOf says which tests a stream performs: what its tool is known for, and what
// it has found. Packages of a built artifact are the test container.
func TestsOf(tool string, artifact bool, found []Found) []Test {
	var out []Test
	add := func(t Test) {
		if t == TestDependency && artifact {
			t = TestContainer
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, t := range toolTests[strings.ToLower(tool)] {
		add(t)
	}
	for _, f := range found {
		switch f.Class {
		case sinew.ClassCode:
			if !slices.Contains(toolTests[strings.ToLower(tool)], TestIaC) {
				add(TestCode)
			}
		case sinew.ClassDependency:
			add(TestDependency)
		case sinew.ClassSecret:
			add(TestSecret)
		case sinew.ClassResource:
			add(map[bool]Test{true: TestIaC, false: TestInfrastructure}[f.InFile])
		case sinew.ClassWeb:
			add(TestWeb)
		case sinew.ClassHost:
			add(TestInfrastructure)
		case sinew.ClassOther:
		}
	}
	slices.SortFunc(out, func(a, b Test) int { return cmp.Compare(slices.Index(Tests, a), slices.Index(Tests, b)) })
	return out
}

// Gap is what is wrong with a cell of the matrix.
type Gap string

// The gaps.
const (
	GapNone        Gap = "none"
	GapNever       Gap = "never"   // needed, and nothing was ever received
	GapFailed      Gap = "failed"  // the newest scan of every stream failed
	GapOverdue     Gap = "overdue" // needed again by now
	GapNotRequired Gap = "not_required"
)

// Scan is where a stream stands.
type Scan struct {
	Stream       int // the caller's own number of it
	Tool         string
	Applications []string // that it looks at; "" for what belongs to none
	Tests        []Test
	Counts       bool                 // its ref is a default or release one
	Failed       bool                 // its newest snapshot says that the scan failed
	Last         time.Time            // of the newest that did not; zero for none
	Status       sinew.CoverageStatus // of that
	Basis        sinew.Basis
}

// Cell is one application and one test.
type Cell struct {
	Application string
	Test        Test
	Need        Need
	Tools       []string
	Last        time.Time // newest scan that did not fail; zero for none
	Due         time.Time // zero for never
	Scope       sinew.CoverageStatus
	Basis       sinew.Basis
	Streams     []int
	Gap         Gap

	failed bool // the newest scan of every stream
}

// Matrix says for each application and test when it was last done, by what, how
// completely, when it is due, and what is missing. Branches and changes count only
// where nothing else was scanned.
func (r *Rules) Matrix(applications []string, scans []Scan, now time.Time) []Cell {
	cells := make([]Cell, 0, len(applications)*len(Tests))
	for _, app := range applications {
		for _, test := range Tests {
			c := Cell{Application: app, Test: test}
			if app != "" { // what belongs to no application is nobody's duty
				c.Need = r.Need(app, test)
			}
			c.fill(scans)
			c.judge(now)
			cells = append(cells, c)
		}
	}
	return cells
}

func (c *Cell) fill(scans []Scan) {
	var mine []*Scan
	counting := false
	for i := range scans {
		s := &scans[i]
		if slices.Contains(s.Applications, c.Application) && slices.Contains(s.Tests, c.Test) {
			mine = append(mine, s)
			counting = counting || s.Counts
		}
	}
	c.failed = len(mine) > 0
	for _, s := range mine {
		if counting && !s.Counts {
			continue
		}
		c.failed = c.failed && s.Failed
		c.Streams = append(c.Streams, s.Stream)
		if !slices.Contains(c.Tools, s.Tool) {
			c.Tools = append(c.Tools, s.Tool)
		}
		if s.Last.After(c.Last) {
			c.Last, c.Scope, c.Basis = s.Last, s.Status, s.Basis
		}
	}
	if c.failed {
		c.Scope, c.Basis = sinew.CoverageFailed, sinew.BasisNone
	}
	slices.Sort(c.Tools)
}

func (c *Cell) judge(now time.Time) {
	if !c.Last.IsZero() && c.Need.Every > 0 {
		c.Due = c.Last.Add(c.Need.Every)
	}
	switch {
	case !c.Need.Required:
		c.Gap = GapNotRequired
	case len(c.Streams) == 0:
		c.Gap = GapNever
	case c.failed:
		c.Gap = GapFailed
	case !c.Due.IsZero() && now.After(c.Due):
		c.Gap = GapOverdue
	default:
		c.Gap = GapNone
	}
}
