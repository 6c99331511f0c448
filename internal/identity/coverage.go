package identity

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Answer says whether a coverage includes a place. Only [Yes] closes.
type Answer uint8

// The answers, the weakest first.
const (
	No Answer = iota
	Unknown
	Yes
)

func (a Answer) String() string { return [...]string{"no", "unknown", "yes"}[min(a, Yes)] }

// Covers reports whether c includes a place of the given class. Paths and hosts are
// those of [PathOf] and [HostOf]. Callers with many places use [IndexCoverage].
func Covers(c sinew.Coverage, class sinew.Class, rule, path, host string) Answer {
	return IndexCoverage(c).Covers(class, rule, path, host)
}

// CoverageIndex is a coverage made ready to be asked often.
type CoverageIndex struct {
	status sinew.CoverageStatus
	dims   [3]scopeIndex
}

// The dimensions of a coverage.
const (
	dimRules = iota
	dimPaths
	dimHosts
)

var dimNames = [...]string{"rules", "paths", "hosts"}

// IndexCoverage prepares c for [CoverageIndex.Covers].
func IndexCoverage(c sinew.Coverage) *CoverageIndex {
	return &CoverageIndex{
		status: c.Status,
		dims:   [3]scopeIndex{indexScope(c.Rules, dimRules), indexScope(c.Paths, dimPaths), indexScope(c.Hosts, dimHosts)},
	}
}

// Covers answers as [Covers] does.
func (x *CoverageIndex) Covers(class sinew.Class, rule, path, host string) Answer {
	answer, _ := x.ask(class, rule, path, host)
	return answer
}

// Explain answers as [Covers] does, and says in one sentence why: for an answer
// that is not yes, which dimension is missing.
func (x *CoverageIndex) Explain(class sinew.Class, rule, path, host string) (answer Answer, why string) {
	answer, dim := x.ask(class, rule, path, host)
	switch {
	case x.status == sinew.CoverageFailed:
		return answer, "the scan failed"
	case answer == Yes:
		return answer, "the scan looked there"
	case answer == No:
		return answer, "the scan did not look there: its " + dimNames[dim] + " do not include it"
	case x.dims[dim].all:
		return answer, "the scan was partial and does not tell which " + dimNames[dim] + " it left out"
	}
	return answer, "the scan does not tell which " + dimNames[dim] + " it looked at"
}

// ask gives the weakest answer of the dimensions that the class asks, and which one
// gave it.
func (x *CoverageIndex) ask(class sinew.Class, rule, path, host string) (answer Answer, dim int) {
	answer = Yes
	for _, d := range x.asked(class, path) {
		name := [...]string{rule, path, host}[d]
		if a := x.answer(d, name); a < answer {
			answer, dim = a, d
		}
	}
	return answer, dim
}

var (
	askRules       = []int{dimRules}
	askPaths       = []int{dimRules, dimPaths}
	askHosts       = []int{dimRules, dimHosts}
	askPathsAndAll = []int{dimRules, dimPaths, dimHosts}
)

// asked lists the dimensions for a class. A resource that is told with a file (IaC)
// is asked for its path as well: a scan of one folder says nothing of another.
func (x *CoverageIndex) asked(class sinew.Class, path string) []int {
	switch class {
	case sinew.ClassCode, sinew.ClassSecret:
		return askPaths
	case sinew.ClassDependency:
		if path != "" {
			return askPaths
		}
		return askRules
	case sinew.ClassWeb, sinew.ClassHost, sinew.ClassResource:
		if path != "" {
			return askPathsAndAll
		}
		return askHosts
	case sinew.ClassOther:
		if x.dims[dimPaths].told {
			return askPaths
		}
		return askRules
	}
	return askPathsAndAll
}

// answer is the table of docs/decisions/003-streams-and-coverage.md.
func (x *CoverageIndex) answer(dim int, name string) Answer {
	if x.status == sinew.CoverageFailed {
		return No
	}
	s := &x.dims[dim]
	switch s.excludes(name) {
	case Yes:
		return No
	case Unknown:
		return Unknown
	case No:
	}
	switch {
	case s.all && x.status == sinew.CoverageComplete:
		return Yes
	case s.all || !s.told:
		return Unknown
	case !s.listed: // only excludes are told
		return Unknown
	case s.includes(name):
		return Yes
	}
	return No
}

// scopeIndex is one dimension: what equals an entry is found in a map, the rest are
// globs.
type scopeIndex struct {
	dim     int
	told    bool // something is said
	listed  bool // includes are said
	all     bool
	include map[string]bool
	globs   []string
	exclude []string
	nets    []netip.Prefix
	noNets  []netip.Prefix
}

func indexScope(s sinew.Scope, dim int) scopeIndex {
	x := scopeIndex{
		dim: dim, all: s.All, listed: len(s.Include) > 0, told: s.All || len(s.Include)+len(s.Exclude) > 0,
	}
	if len(s.Include) > 0 && !s.All {
		x.include = make(map[string]bool, len(s.Include))
		for _, p := range s.Include {
			if n, ok := parseNet(p); ok && dim == dimHosts {
				x.nets = append(x.nets, n)
				continue
			}
			p = normalPattern(p, dim)
			if p == "" {
				continue
			}
			x.include[p] = true
			if isGlob(p) {
				x.globs = append(x.globs, p)
			}
		}
	}
	for _, p := range s.Exclude {
		if n, ok := parseNet(p); ok && dim == dimHosts {
			x.noNets = append(x.noNets, n)
			continue
		}
		if p = normalPattern(p, dim); p != "" {
			x.exclude = append(x.exclude, strings.ToLower(p))
		}
	}
	return x
}

// normalPattern gives a pattern the form of what it is compared with.
func normalPattern(p string, dim int) string {
	p = strings.TrimSpace(p)
	if p == "" {
		return ""
	}
	switch dim {
	case dimPaths:
		tree := strings.HasSuffix(p, "/") || strings.HasSuffix(p, `\`) || strings.HasSuffix(p, "/.")
		n := NormalPath(p)
		switch {
		case n == "": // "." or "/"
			return "**"
		case tree:
			return n + "/**"
		}
		return n
	case dimHosts:
		return hostPattern(p)
	}
	return p
}

func isGlob(p string) bool { return strings.ContainsAny(p, `*?[{\`) }

func glob(pattern, name string) bool {
	ok, err := doublestar.Match(pattern, name)
	return err == nil && ok
}

func (x *scopeIndex) includes(name string) bool {
	if x.dim == dimHosts {
		return x.includesHost(name)
	}
	name = x.normal(name)
	if name == "" {
		return false
	}
	if x.include[name] {
		return true
	}
	return slices.ContainsFunc(x.globs, func(p string) bool { return glob(p, name) })
}

func (x *scopeIndex) normal(name string) string {
	if x.dim == dimPaths {
		return NormalPath(name)
	}
	return strings.TrimSpace(name)
}

// excludes is generous, so that a doubt closes nothing: case does not matter, a
// folder excludes what is in it, a name without a slash excludes it at any depth, and
// a pattern that cannot be read excludes everything.
func (x *scopeIndex) excludes(name string) Answer {
	if len(x.exclude) == 0 && len(x.noNets) == 0 {
		return No
	}
	if x.dim == dimHosts {
		return x.excludesHost(name)
	}
	name = strings.ToLower(x.normal(name))
	for _, p := range x.exclude {
		if p == name || !doublestar.ValidatePattern(p) || glob(p, name) {
			return Yes
		}
		if x.dim == dimPaths && (strings.HasPrefix(name, p+"/") || glob(p+"/**", name) ||
			!strings.Contains(p, "/") && glob("**/"+p+"/**", name)) {
			return Yes
		}
	}
	return No
}

// hostNames are the forms under which a machine, endpoint or resource may be listed:
// as it is, the host, host:port, and either with the path.
func hostNames(name string) (names []string, addr netip.Addr) {
	name = strings.ToLower(strings.TrimSpace(name))
	names = append(names, name)
	scheme, rest, isURL := strings.Cut(name, "://")
	if !isURL {
		scheme, rest = "", name
	}
	if strings.ContainsAny(rest, "?#") {
		rest = rest[:strings.IndexAny(rest, "?#")]
	}
	authority, path, hasPath := strings.Cut(rest, "/")
	if hasPath && !isURL && strings.Contains(authority, ":") {
		authority, path = rest, "" // an ARN or the like
	}
	if at := strings.LastIndexByte(authority, '@'); isURL && at >= 0 {
		authority = authority[at+1:]
	}
	host, port, ok := cutPort(authority)
	if !ok {
		host, port = authority, defaultPorts[scheme]
	}
	host = string(appendHost(nil, host))
	if a, err := netip.ParseAddr(host); err == nil {
		addr = a.Unmap()
		host = addr.String()
	}
	withPort := host
	if port != "" {
		withPort = host + ":" + port
	}
	for _, form := range [...]string{host, withPort} {
		names = append(names, form)
		if path != "" {
			names = append(names, form+"/"+strings.TrimSuffix(path, "/"))
		}
	}
	return slices.Compact(names), addr
}

// hostPattern gives a pattern over hosts the form of [hostNames]: a URL keeps the
// port that its scheme means.
func hostPattern(p string) string {
	p = strings.ToLower(p)
	scheme, rest, isURL := strings.Cut(p, "://")
	if !isURL {
		if a, err := netip.ParseAddr(strings.Trim(p, "[]")); err == nil {
			return a.Unmap().String()
		}
		return strings.TrimSuffix(p, ".")
	}
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest = rest[:i]
	}
	authority, path, _ := strings.Cut(rest, "/")
	if _, _, ok := cutPort(authority); !ok && defaultPorts[scheme] != "" {
		authority += ":" + defaultPorts[scheme]
	}
	switch {
	case path == "":
		return authority
	case strings.HasSuffix(path, "/"):
		return authority + "/" + path + "**"
	}
	return authority + "/" + path
}

func parseNet(p string) (netip.Prefix, bool) {
	n, err := netip.ParsePrefix(strings.TrimSpace(p))
	return n, err == nil
}

func (x *scopeIndex) includesHost(list string) bool {
	for name := range strings.SplitSeq(list, "\n") {
		if name == "" {
			continue
		}
		names, addr := hostNames(name)
		for _, n := range names {
			if x.include[n] || slices.ContainsFunc(x.globs, func(p string) bool { return glob(p, n) }) {
				return true
			}
		}
		if addr.IsValid() && slices.ContainsFunc(x.nets, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return true
		}
	}
	return false
}

func (x *scopeIndex) excludesHost(list string) Answer {
	answer := No
	for name := range strings.SplitSeq(list, "\n") {
		if name == "" {
			continue
		}
		names, addr := hostNames(name)
		for _, p := range x.exclude {
			bare, _, _ := strings.Cut(p, "/")
			portless, _, _ := cutPort(bare)
			for _, n := range names {
				if p == n || !doublestar.ValidatePattern(p) || glob(p, n) || strings.HasPrefix(n, p+"/") ||
					bare == p && portless == n {
					return Yes
				}
			}
		}
		switch {
		case addr.IsValid():
			if slices.ContainsFunc(x.noNets, func(p netip.Prefix) bool { return p.Contains(addr) }) {
				return Yes
			}
		case len(x.noNets) > 0:
			answer = Unknown // who knows which address that name has
		}
	}
	return answer
}

// Combine joins what a report shows of its coverage with what the uploader declares.
// The worse status wins. The uploader's scope of a dimension is used where given, but
// never beyond a list that the report tells, and never where the report says that it
// is partial or failed. The basis is proven if the report alone would answer yes
// wherever the result does.
func Combine(report, declared sinew.Coverage) sinew.Coverage {
	c := report
	if isZeroCoverage(declared) {
		if c.Basis == sinew.BasisNone && !isZeroCoverage(report) {
			c.Basis = sinew.BasisProven
		}
		return c
	}
	if declared.Status == sinew.CoverageComplete { // of everything that no limit is named for
		for _, s := range [...]*sinew.Scope{&declared.Rules, &declared.Paths, &declared.Hosts} {
			if !told(*s) {
				s.All = true
			}
		}
	}
	c.Status = worse(report.Status, declared.Status)
	fixed := report.Status == sinew.CoveragePartial || report.Status == sinew.CoverageFailed
	c.Rules = combineScope(report.Rules, declared.Rules, dimRules, fixed)
	c.Paths = combineScope(report.Paths, declared.Paths, dimPaths, fixed)
	c.Hosts = combineScope(report.Hosts, declared.Hosts, dimHosts, fixed)
	if c.Reason == "" {
		c.Reason = declared.Reason
	}
	if c.Commit == "" {
		c.Commit = declared.Commit
	}
	if c.Digest == "" {
		c.Digest = declared.Digest
	}
	c.Basis = sinew.BasisDeclared
	if report.Basis != sinew.BasisDeclared && Includes(report, c) && yesAlone(report, c) {
		c.Basis = sinew.BasisProven
	}
	return c
}

// yesAlone reports whether the status and the alls of report are enough for what c,
// which lies within it, answers with yes.
func yesAlone(report, c sinew.Coverage) bool {
	if report.Status == sinew.CoverageComplete {
		return true
	}
	narrowed := report.Rules.All != c.Rules.All || report.Paths.All != c.Paths.All || report.Hosts.All != c.Hosts.All
	return report.Status == c.Status && !narrowed // an all that is not complete says nothing
}

func isZeroCoverage(c sinew.Coverage) bool {
	return c.Status == sinew.CoverageUnknown && !told(c.Rules) && !told(c.Paths) && !told(c.Hosts)
}

func told(s sinew.Scope) bool { return s.All || len(s.Include)+len(s.Exclude) > 0 }

// worse joins two statuses; what is not told leaves the word to the other.
func worse(a, b sinew.CoverageStatus) sinew.CoverageStatus {
	for _, s := range [...]sinew.CoverageStatus{sinew.CoverageFailed, sinew.CoveragePartial, sinew.CoverageComplete} {
		if a == s || b == s {
			return s
		}
	}
	return sinew.CoverageUnknown
}

func combineScope(report, declared sinew.Scope, dim int, fixed bool) sinew.Scope {
	if !told(declared) {
		return report
	}
	out := report
	out.Exclude = union(report.Exclude, declared.Exclude)
	listed := !report.All && len(report.Include) > 0
	switch {
	case listed && !declared.All && len(declared.Include) > 0:
		out.Include = intersect(report.Include, declared.Include, dim)
	case listed, fixed:
	case declared.All:
		out.All, out.Include = true, nil
	case len(declared.Include) > 0:
		out.All, out.Include = false, slices.Clone(declared.Include)
	}
	return out
}

func union(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// intersect keeps the patterns of either side that lie wholly within the other side.
// Where two globs overlap in part the overlap is lost: that closes less.
func intersect(a, b []string, dim int) []string {
	inA, inB := newWithin(a, dim), newWithin(b, dim)
	var out []string
	for _, p := range a {
		if inB.has(p) {
			out = append(out, p)
		}
	}
	for _, p := range b {
		if inA.has(p) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// within asks whether everything that one pattern matches is matched by one of a list.
type within struct{ scope scopeIndex }

func newWithin(list []string, dim int) within {
	return within{indexScope(sinew.Scope{Include: list}, dim)}
}

func (w within) has(pattern string) bool {
	x := &w.scope
	if n, ok := parseNet(pattern); ok && x.dim == dimHosts {
		return slices.ContainsFunc(x.nets, func(outer netip.Prefix) bool {
			return outer.Bits() <= n.Bits() && outer.Contains(n.Addr())
		})
	}
	p := normalPattern(pattern, x.dim)
	switch {
	case p == "":
		return true
	case x.include[p], x.include["**"]:
		return true
	case !isGlob(p):
		return x.includes(pattern)
	}
	return slices.ContainsFunc(x.globs, func(outer string) bool {
		root, tree := strings.CutSuffix(outer, "/**")
		return tree && !isGlob(root) && strings.HasPrefix(p, root+"/")
	})
}

// Includes reports whether b is known to lie within a, which tells a narrowed scan:
// for each dimension a is all, or each pattern of b is matched by one of a, and a
// leaves out nothing that b does not. What is not told includes only what is not
// told.
func Includes(a, b sinew.Coverage) bool {
	return includesScope(a.Rules, b.Rules, dimRules) && includesScope(a.Paths, b.Paths, dimPaths) &&
		includesScope(a.Hosts, b.Hosts, dimHosts)
}

func includesScope(a, b sinew.Scope, dim int) bool {
	for _, e := range a.Exclude {
		if !slices.Contains(b.Exclude, e) {
			return false
		}
	}
	switch {
	case a.All:
		return true
	case b.All:
		return false
	case len(b.Include) == 0:
		return true
	case len(a.Include) == 0:
		return false
	}
	w := newWithin(a.Include, dim)
	for _, p := range b.Include {
		if !w.has(p) {
			return false
		}
	}
	return true
}
