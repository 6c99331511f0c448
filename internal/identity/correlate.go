package identity

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Correlation tells which findings of different streams are one problem. It looks at
// one block at a time: findings of an access unit whose [Sighting.Block] is equal.
// The result is a function of the findings in the block and of what people said of
// them, so that no order of imports changes it (docs/decisions/016).

// Sighting is a finding as correlation sees it.
type Sighting struct {
	ID     int64 // local; decides nothing but between findings that are alike in all else
	Family int64
	Stream string // tool, target, label and source, for an order that is free of ids
	Target string // of the stream

	Class                    sinew.Class
	Tool, Rule, Title        string
	CWE                      []int
	IDs                      []string
	File                     string
	Line, EndLine            int
	Sink                     string // hash of the text of the line, "" where the tool shows none
	Symbol                   string
	Package, Version, PURL   string
	Image, Host              string
	Resource, ResourceType   string
	Method, URL, Param, Port string
	Secret                   string // short form of the redaction token
	State                    sinew.FindingState
	Severity                 int
	Decided                  int64  // when a person's standing decision was made; 0 for none
	Rest                     string // whatever else tells findings apart, for an order that is free of ids
	FirstSeen                int64
	bare, path, ecosystem    string
	release                  string
	weak                     []string
	control                  string   // what the rule looks at
	wider                    string   // the control that it is a case of
	check                    bool     // of a configuration, by its rule
	names                    []string // of its vulnerabilities
	roots                    []string // one name for each of these
	natural                  string
}

// Join is why two sightings are one problem: the rule, and the values that it
// compared.
type Join struct {
	A, B   int // in the order that they were given
	Rule   JoinRule
	Values []sinew.JoinField
}

// JoinRule names a rule of correlation. Its number is its strength: pairs of lower
// ones are joined first.
type JoinRule int

// The rules, strongest first.
const (
	JoinHand              JoinRule = iota + 1 // a person said so
	JoinSecretValue                           // the same secret in the same file
	JoinDependencyPath                        // vulnerability, package, version, manifest
	JoinCodeLine                              // the same weakness (CWE) on the same line
	JoinResourceControl                       // the same control on the same resource
	JoinControlLines                          // the same control on overlapping lines of a file
	JoinWebParameter                          // weakness, endpoint, parameter
	JoinHostVulnerability                     // the same vulnerabilities on the same host and port
	JoinDependencySuffix                      // as JoinDependencyPath; one tool's path is the end of the other's
	JoinSecretLine                            // a secret on the same line, of which tools cut out different parts
	JoinCodeSink                              // the same weakness, and the same text of the line
	JoinCodeOverlap                           // a weakness of the same family on overlapping lines
	JoinHostCheck                             // the same kind of fault of the same service of a host
	JoinControlWithin                         // a control and a case of it, on the same resource or lines
	JoinControlFile                           // the same control in the same file; one tool does not tell the line
	JoinDependency                            // vulnerability, package and version; one tool does not tell where
	JoinWebEndpoint                           // weakness and endpoint; one tool does not tell the parameter
)

var joinNames = map[JoinRule]string{
	JoinHand:              "by hand",
	JoinSecretValue:       "secret: value and file",
	JoinDependencyPath:    "dependency: vulnerability, package, version, manifest",
	JoinCodeLine:          "code: weakness and line",
	JoinResourceControl:   "resource: control and resource",
	JoinWebParameter:      "web: weakness, endpoint, parameter",
	JoinHostVulnerability: "host: vulnerabilities and port",
	JoinDependencySuffix:  "dependency: vulnerability, package, version, end of path",
	JoinSecretLine:        "secret: file and line",
	JoinCodeSink:          "code: weakness and text of the line",
	JoinCodeOverlap:       "code: weakness and overlapping lines",
	JoinControlLines:      "resource: control and overlapping lines",
	JoinHostCheck:         "host: kind of fault and port",
	JoinControlWithin:     "resource: control and a case of it",
	JoinControlFile:       "resource: control and file",
	JoinDependency:        "dependency: vulnerability, package, version",
	JoinWebEndpoint:       "web: weakness and endpoint",
}

func (r JoinRule) String() string { return joinNames[r] }

// Links is what people said of findings: always stronger than a rule.
type Links struct {
	Same      map[[2]int64]bool // ids, the lower first
	Different map[[2]int64]bool // ids, the lower first
	// NeverRules are pairs of "tool\x00rule" that are never joined, the lower first.
	NeverRules map[[2]string]bool
}

// LinkPair gives two ids in the order in which links name them.
func LinkPair(a, b int64) [2]int64 { return [2]int64{min(a, b), max(a, b)} }

// RulePair gives two rules of tools in the order in which links name them.
func RulePair(toolA, ruleA, toolB, ruleB string) [2]string {
	a, b := toolA+"\x00"+ruleA, toolB+"\x00"+ruleB
	return [2]string{min(a, b), max(a, b)}
}

func (l *Links) forbids(a, b *Sighting) bool {
	if l == nil {
		return false
	}
	return l.Different[LinkPair(a.ID, b.ID)] || len(l.NeverRules) > 0 && l.NeverRules[RulePair(a.Tool, a.Rule, b.Tool, b.Rule)]
}

// Aliases knows the other names of a vulnerability; a nil one knows none.
type Aliases interface {
	// Root gives one name for all names of a vulnerability: id itself, if it has no other.
	Root(id string) string
}

// MaxBlock is the largest block that is correlated: more findings that may be one
// problem are none that a person would look through.
const MaxBlock = 20_000

// maxBucket is how many findings of a block are compared with each other.
const maxBucket = 1_000

// maxPairs is how many pairs of a block may be the same: more are no problem told
// twice but a place where everything looks alike.
const maxPairs = 500_000

type candidate struct {
	a, b     int
	rule     JoinRule
	distance int
	joined   bool // by hand: two of one stream may be
}

// Correlate gives the clusters of a block: for each the sightings in it, by natural
// order, and the joins that hold them together, one fewer than sightings. Sightings
// alone are left out.
func Correlate(block []Sighting, aliases Aliases, links *Links) []Cluster {
	if len(block) < 2 {
		return nil
	}
	for i := range block {
		block[i].prepare()
	}
	if len(block) > MaxBlock {
		return handJoins(block, links)
	}
	namesOfVulnerabilities(block, aliases)
	var pairs []candidate
	if links != nil && len(links.Same) > 0 {
		pairs = byHand(block, links)
	}
	for _, bucket := range buckets(block) {
		if len(bucket) > maxBucket {
			continue
		}
		for x, i := range bucket {
			for _, j := range bucket[x+1:] {
				if c, ok := compare(block, i, j); ok && !links.forbids(&block[i], &block[j]) {
					pairs = append(pairs, c)
				}
			}
		}
		if len(pairs) > maxPairs {
			return handJoins(block, links)
		}
	}
	slices.SortFunc(pairs, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.rule, y.rule))
	})
	pairs = slices.Compact(pairs) // two may be in several buckets together
	return joinPairs(block, dropAmbiguous(block, pairs), links)
}

// Cluster is what is one problem.
type Cluster struct {
	Members []int
	Joins   []Join
}

func handJoins(block []Sighting, links *Links) []Cluster {
	if links == nil || len(links.Same) == 0 {
		return nil
	}
	return joinPairs(block, byHand(block, links), links)
}

func byHand(block []Sighting, links *Links) (out []candidate) {
	at := map[int64]int{}
	for i := range block {
		at[block[i].ID] = i
	}
	for pair := range links.Same {
		a, okA := at[pair[0]]
		b, okB := at[pair[1]]
		if okA && okB && !links.Different[pair] {
			out = append(out, candidate{a: min(a, b), b: max(a, b), rule: JoinHand, joined: true})
		}
	}
	return out
}

// joinPairs joins pairs by strength, then by natural order. Two findings of one
// family are never in a cluster, nor are two that a person told apart or that
// contradict each other, though a third one may be like either.
func joinPairs(block []Sighting, pairs []candidate, links *Links) []Cluster {
	for i := range pairs {
		c := &pairs[i]
		if block[c.b].natural < block[c.a].natural || block[c.b].natural == block[c.a].natural && block[c.b].ID < block[c.a].ID {
			c.a, c.b = c.b, c.a
		}
	}
	slices.SortFunc(pairs, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.rule, y.rule), cmp.Compare(x.distance, y.distance),
			cmp.Compare(block[x.a].natural, block[y.a].natural), cmp.Compare(block[x.b].natural, block[y.b].natural),
			cmp.Compare(block[x.a].ID, block[y.a].ID), cmp.Compare(block[x.b].ID, block[y.b].ID))
	})
	of := map[int]*Cluster{}
	for _, c := range pairs {
		a, b := of[c.a], of[c.b]
		if a == nil {
			a = &Cluster{Members: []int{c.a}}
		}
		if b == nil {
			b = &Cluster{Members: []int{c.b}}
		}
		if a == b && of[c.a] != nil || !mayJoin(block, a, b, c.joined, links) {
			continue
		}
		a.Members = append(a.Members, b.Members...)
		a.Joins = append(append(a.Joins, b.Joins...), Join{A: c.a, B: c.b, Rule: c.rule, Values: values(&block[c.a], &block[c.b], c.rule)})
		for _, m := range a.Members {
			of[m] = a
		}
	}
	var out []Cluster
	for i := range block {
		c := of[i]
		if c == nil || c.Members == nil {
			continue
		}
		members := *c
		c.Members = nil // taken
		slices.SortFunc(members.Members, func(x, y int) int {
			return cmp.Or(cmp.Compare(block[x].natural, block[y].natural), cmp.Compare(block[x].ID, block[y].ID))
		})
		out = append(out, members)
	}
	return out
}

func mayJoin(block []Sighting, a, b *Cluster, byHand bool, links *Links) bool {
	for _, x := range a.Members {
		for _, y := range b.Members {
			if links.forbids(&block[x], &block[y]) {
				return false
			}
			if !byHand && (block[x].Family == block[y].Family || contradict(&block[x], &block[y])) {
				return false
			}
		}
	}
	return true
}

// guesses are rules that rest on what one of the tools does not tell: then nobody can
// say which of several is meant.
func (r JoinRule) guesses() bool {
	return r == JoinDependency || r == JoinWebEndpoint || r == JoinControlWithin || r == JoinControlFile
}

// dropAmbiguous leaves out pairs of which nobody can say whether they are meant:
// those that rest on a tool's silence or on the end of a path, where the other tool
// knows several that fit; and those of a control that one tool tells once of a resource and
// the other several times, for each rule or log of it.
func dropAmbiguous(block []Sighting, pairs []candidate) []candidate {
	type side struct {
		of       int
		family   int64
		rule     JoinRule
		with     string // rule of the other
		sameLine bool
	}
	partners := map[side]int{}
	counted := func(c *candidate) bool {
		return c.rule.guesses() || c.rule == JoinResourceControl || c.rule == JoinControlLines || c.rule == JoinDependencySuffix
	}
	for i := range pairs {
		c := &pairs[i]
		if !counted(c) {
			continue
		}
		a, b := &block[c.a], &block[c.b]
		partners[side{c.a, b.Family, c.rule, b.Rule, false}]++
		partners[side{c.b, a.Family, c.rule, a.Rule, false}]++
		if a.Line == b.Line {
			partners[side{c.a, b.Family, c.rule, b.Rule, true}]++
			partners[side{c.b, a.Family, c.rule, a.Rule, true}]++
		}
	}
	return slices.DeleteFunc(pairs, func(c candidate) bool {
		if !counted(&c) {
			return false
		}
		a, b := &block[c.a], &block[c.b]
		ofA, ofB := partners[side{c.a, b.Family, c.rule, b.Rule, false}], partners[side{c.b, a.Family, c.rule, a.Rule, false}]
		if c.rule == JoinResourceControl || c.rule == JoinControlLines {
			onLine := a.Line == b.Line && partners[side{c.a, b.Family, c.rule, b.Rule, true}] == 1 && partners[side{c.b, a.Family, c.rule, a.Rule, true}] == 1
			return ofA != ofB && !onLine
		}
		if c.rule == JoinControlWithin || c.rule == JoinControlFile || c.rule == JoinDependencySuffix {
			return ofA > 1 || ofB > 1
		}
		return ofA > 1 && a.place() == "" || ofB > 1 && b.place() == ""
	})
}

// place is what a silent tool does not tell.
func (s *Sighting) place() string {
	if s.Class == sinew.ClassWeb {
		if s.path == "" {
			return ""
		}
		return s.Param
	}
	return s.path
}

// buckets divides a block into those that may be one problem; a sighting may be in
// several. Their order is that of the block.
func buckets(block []Sighting) [][]int {
	byKey := map[string][]int{}
	var keys []string
	put := func(i int, key string) {
		if _, ok := byKey[key]; !ok {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], i)
	}
	for i := range block {
		s := &block[i]
		switch s.kind() {
		case kindDependency:
			for _, id := range s.roots {
				put(i, "d\x00"+id)
			}
		case kindFile:
			for _, w := range s.weak {
				put(i, "w\x00"+w)
			}
			put(i, "c\x00"+s.control)
			if s.wider != "" {
				put(i, "c\x00"+s.wider)
			}
		case kindResource:
			put(i, "c\x00"+s.control)
			if s.wider != "" {
				put(i, "c\x00"+s.wider)
			}
		case kindWeb:
			for _, w := range s.weak {
				put(i, "w\x00"+w)
			}
		case kindHost:
			for _, id := range s.roots {
				put(i, "v\x00"+id)
			}
			for _, w := range s.weak {
				put(i, "w\x00"+w)
			}
		case kindNone:
		}
	}
	out := make([][]int, len(keys))
	for n, key := range keys {
		out[n] = byKey[key]
	}
	return out
}

// values are the fields that a rule compared.
func values(a, b *Sighting, rule JoinRule) (out []sinew.JoinField) {
	add := func(field, x, y string) {
		v := sinew.JoinField{Field: field, A: x}
		if y != x {
			v.B = y
		}
		if x != "" || y != "" {
			out = append(out, v)
		}
	}
	lines := func(s *Sighting) string {
		switch {
		case s.Line == 0:
			return ""
		case s.EndLine > s.Line:
			return strconv.Itoa(s.Line) + "-" + strconv.Itoa(s.EndLine)
		}
		return strconv.Itoa(s.Line)
	}
	switch rule {
	case JoinHand:
	case JoinDependencyPath, JoinDependencySuffix, JoinDependency:
		add("vulnerability", strings.Join(a.IDs, " "), strings.Join(b.IDs, " "))
		add("package", a.Package, b.Package)
		add("version", a.Version, b.Version)
		add("manifest", a.File, b.File)
		add("image", a.Image, b.Image)
	case JoinSecretValue, JoinSecretLine:
		add("secret", a.Secret, b.Secret)
		add("file", a.File, b.File)
		add("line", lines(a), lines(b))
	case JoinCodeLine, JoinCodeSink, JoinCodeOverlap:
		add("weakness", a.weakness(), b.weakness())
		add("file", a.File, b.File)
		add("line", lines(a), lines(b))
	case JoinResourceControl, JoinControlLines, JoinControlWithin, JoinControlFile:
		add("control", a.control, b.control)
		add("rule", a.Rule, b.Rule)
		add("resource", a.Resource, b.Resource)
		add("file", a.File, b.File)
		add("line", lines(a), lines(b))
	case JoinWebParameter, JoinWebEndpoint:
		add("weakness", a.weakness(), b.weakness())
		add("endpoint", a.URL, b.URL)
		add("parameter", a.Param, b.Param)
	case JoinHostVulnerability:
		add("vulnerability", strings.Join(a.IDs, " "), strings.Join(b.IDs, " "))
		add("host", a.Host, b.Host)
		add("port", a.Port, b.Port)
	case JoinHostCheck:
		add("fault", strings.Join(a.weak, ", "), strings.Join(b.weak, ", "))
		add("host", a.Host, b.Host)
		add("port", a.Port, b.Port)
	}
	return out
}

func (s *Sighting) weakness() string {
	var b strings.Builder
	for i, n := range s.CWE {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("CWE-" + strconv.Itoa(n))
	}
	if b.Len() == 0 {
		return strings.Join(s.weak, " ")
	}
	return b.String()
}

// Lead chooses the member that a cluster is shown as: one whose standing decision
// closes the problem, the newest first; then active before closed, worst first, and
// the one that was seen first, so that a tool that comes later takes over nothing;
// then natural order.
func Lead(block []Sighting, members []int) int {
	rank := func(s *Sighting) [4]int64 {
		switch {
		case s.Decided > 0 && (s.State == sinew.StateAccepted || s.State == sinew.StateFalsePositive):
			return [4]int64{2, s.Decided, int64(s.Severity), -s.FirstSeen}
		case s.State.Active():
			return [4]int64{1, int64(s.Severity), -s.FirstSeen}
		}
		return [4]int64{0, int64(s.Severity), -s.FirstSeen}
	}
	best := members[0]
	for _, m := range members[1:] {
		mine, theirs := rank(&block[m]), rank(&block[best])
		if cmp.Or(slices.Compare(mine[:], theirs[:]), -block[m].Compare(&block[best])) > 0 {
			best = m
		}
	}
	return best
}
