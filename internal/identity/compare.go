package identity

import (
	"slices"
	"strings"
)

// compare says by which rule two sightings are one problem. They are in a bucket
// together.
func compare(block []Sighting, i, j int) (candidate, bool) {
	a, b := &block[i], &block[j]
	if a.Family == b.Family {
		return candidate{}, false
	}
	c := candidate{a: i, b: j}
	switch a.kind() {
	case kindDependency:
		c.rule, c.distance = compareDependency(a, b)
	case kindFile:
		c.rule, c.distance = compareFile(a, b)
	case kindResource:
		c.rule = compareResource(a, b)
	case kindWeb:
		c.rule = compareWeb(a, b)
	case kindHost:
		c.rule = compareHost(a, b)
	case kindNone:
	}
	return c, c.rule != 0
}

func compareDependency(a, b *Sighting) (rule JoinRule, distance int) {
	if !slices.Equal(a.roots, b.roots) {
		if !sameAdvisory(a, b) {
			return 0, 0
		}
		distance = 1
	}
	switch {
	case !samePackage(a, b), contradict(a, b):
		return 0, 0
	case a.path == "" || b.path == "":
		return JoinDependency, distance
	case a.path == b.path:
		return JoinDependencyPath, distance
	case endsWithPath(a.path, b.path):
		return JoinDependencySuffix, distance
	}
	return 0, 0
}

// sameAdvisory reports whether two findings name one advisory of one package, though
// one of them counts more of the CVEs that it is about.
func sameAdvisory(a, b *Sighting) bool {
	for _, id := range a.names {
		kind, _, _ := strings.Cut(id, "-")
		if kind != "CVE" && !bundles[kind] && slices.Contains(b.names, id) {
			return true
		}
	}
	return false
}

// contradict reports whether two sightings name places that cannot be one. What one
// of them does not tell contradicts nothing.
func contradict(a, b *Sighting) bool {
	kind := a.kind()
	if kind != b.kind() {
		return true
	}
	switch kind {
	case kindDependency:
		if a.release != b.release && a.release != "" && b.release != "" || foldedHost(a.Host) != foldedHost(b.Host) {
			return true
		}
		return otherFile(a, b) || otherTarget(a, b)
	case kindFile:
		return otherFile(a, b) || otherTarget(a, b)
	case kindWeb:
		return a.path != b.path && !ofSite(a, b) || webHost(a.URL) != webHost(b.URL) ||
			a.Method != "" && b.Method != "" && !strings.EqualFold(a.Method, b.Method) ||
			a.Param != "" && b.Param != "" && !strings.EqualFold(a.Param, b.Param)
	case kindHost:
		return foldedHost(a.Host) != foldedHost(b.Host) || a.Port != "" && b.Port != "" && a.Port != b.Port
	case kindResource, kindNone:
	}
	return false
}

// ofSite reports whether both speak of what all answers of a server have or lack,
// and one of them names the site alone.
func ofSite(a, b *Sighting) bool {
	return (a.path == "" || b.path == "") && slices.ContainsFunc(a.weak, func(w string) bool { return ofAllAnswers[w] })
}

// otherFile reports whether both tell a file, in one image or tree, and not the same.
func otherFile(a, b *Sighting) bool {
	if imageName(a.Image) != imageName(b.Image) {
		return true
	}
	return a.path != "" && b.path != "" && a.path != b.path && !endsWithPath(a.path, b.path)
}

// otherTarget reports whether both streams name a tree, and not the same. Images,
// hosts and accounts are told apart by the findings themselves.
func otherTarget(a, b *Sighting) bool {
	return a.Image == "" && a.Host == "" && !SameTarget(a.Target, b.Target)
}

// someFolder are names of folders that say nothing of what is in them.
var someFolder = map[string]bool{
	"": true, ".": true, "local": true, "src": true, "app": true, "apps": true, "code": true, "source": true, "work": true, "workspace": true, "workdir": true,
	"repo": true, "project": true, "scan": true, "target": true, "build": true, "builds": true, "tmp": true, "mnt": true, "data": true, "s": true, "1": true,
}

// SameTarget reports whether two targets of streams may be one tree: equal, one the
// end of the other (acme/shop and github.com/acme/shop), or one of them a folder of
// the machine that scanned, whose name says as much or nothing.
func SameTarget(a, b string) bool {
	a, b = foldedTarget(a), foldedTarget(b)
	lastA, lastB := a[strings.LastIndexByte(a, '/')+1:], b[strings.LastIndexByte(b, '/')+1:]
	localA, localB := isFolder(a), isFolder(b)
	switch {
	case a == b, localA && someFolder[lastA], localB && someFolder[lastB]:
		return true
	case localA || localB:
		return lastA == lastB
	}
	return endsWithPath(a, b)
}

func foldedTarget(s string) string {
	s = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), `\`, "/"))
	return strings.TrimSuffix(strings.TrimRight(s, "/"), ".git")
}

// isFolder reports whether a target is a path on the machine that scanned.
func isFolder(s string) bool {
	return s == "" || s == "local" || s[0] == '/' || s[0] == '.' || len(s) > 1 && s[1] == ':'
}

// samePackage compares names: with the ecosystem where both tell it, and down to the
// artifact where one of them tells nothing else.
func samePackage(a, b *Sighting) bool {
	if a.ecosystem != "" && b.ecosystem != "" && a.ecosystem != b.ecosystem {
		return false
	}
	nameA, nameB := packageName(a), packageName(b)
	if nameA == nameB {
		return true
	}
	if a.bare != b.bare {
		return false
	}
	// one of them names the artifact alone
	return nameA == a.bare || nameB == b.bare
}

func compareFile(a, b *Sighting) (JoinRule, int) {
	if contradict(a, b) {
		return 0, 0
	}
	distance := max(a.Line-b.Line, b.Line-a.Line)
	if a.path != b.path { // the same path is preferred to the end of one
		distance += elsewhere
	}
	if a.Secret != "" && b.Secret != "" {
		switch {
		case a.Secret == b.Secret:
			return JoinSecretValue, distance
		case a.Line > 0 && b.Line > 0 && overlaps(a, b):
			return JoinSecretLine, distance
		}
		return 0, 0
	}
	if a.Secret != "" || b.Secret != "" {
		if sameWeakness(a, b) != 0 && a.Line > 0 && b.Line > 0 && overlaps(a, b) {
			return JoinSecretLine, distance
		}
		return 0, 0
	}
	if rule := compareControl(a, b); rule != 0 {
		return rule, distance
	}
	how := sameWeakness(a, b)
	switch {
	case how == 0, a.check && b.check, a.Line == 0 || b.Line == 0:
		return 0, 0
	case how == sameCWE && a.Line == b.Line:
		return JoinCodeLine, distance + 1 // after those of equal rules
	case a.Sink != "" && a.Sink == b.Sink:
		return JoinCodeSink, distance
	case overlaps(a, b):
		if a.Sink != "" && b.Sink != "" && a.Line != b.Line && a.EndLine <= a.Line && b.EndLine <= b.Line {
			return 0, 0 // two lines with texts of their own
		}
		return JoinCodeOverlap, distance
	}
	return 0, 0
}

// compareControl says by which rule two findings in a file are one problem because
// of what their rules look at.
func compareControl(a, b *Sighting) JoinRule {
	if a.control == "" || b.control == "" {
		return 0
	}
	within := a.wider == b.control || b.wider == a.control
	switch {
	case a.control != b.control && !within, otherResource(a, b):
		return 0
	case within:
		if sameResource(a, b) || a.Line > 0 && b.Line > 0 && overlaps(a, b) || a.Line == 0 || b.Line == 0 {
			return JoinControlWithin
		}
		return 0
	case !a.check && a.Line == b.Line && a.Line > 0:
		return JoinCodeLine
	case a.Resource != "" && b.Resource != "" && sameResource(a, b):
		return JoinResourceControl
	case a.Line == 0 || b.Line == 0:
		if a.check && b.check {
			return JoinControlFile
		}
		return 0
	case overlaps(a, b):
		return JoinControlLines
	}
	return 0
}

// otherResource reports whether both name a resource by its address, and not the same.
func otherResource(a, b *Sighting) bool {
	return strings.Contains(a.Resource, ".") && strings.Contains(b.Resource, ".") && !sameResource(a, b)
}

// elsewhere is further than any two lines of a file are apart.
const elsewhere = 1 << 30

// longRange is how many lines a finding may have for a fault to be looked for in all
// of them; of longer ones only the first is meant.
const longRange = 30

// overlaps reports whether lines are shared.
func overlaps(a, b *Sighting) bool {
	return a.Line <= b.lastLine() && b.Line <= a.lastLine()
}

func (s *Sighting) lastLine() int {
	if !s.check && s.EndLine-s.Line > longRange {
		return s.Line
	}
	return max(s.Line, s.EndLine)
}

func compareResource(a, b *Sighting) JoinRule {
	switch {
	case a.control == "" || b.control == "" || !sameResource(a, b):
		return 0
	case a.control == b.control:
		return JoinResourceControl
	case a.wider == b.control || b.wider == a.control:
		return JoinControlWithin
	}
	return 0
}

// sameResource compares names of resources: an id, or the end of one.
func sameResource(a, b *Sighting) bool {
	x, y := foldedResource(a.Resource), foldedResource(b.Resource)
	if x == y {
		return x != ""
	}
	if len(x) < len(y) {
		x, y = y, x
	}
	if strings.HasPrefix(x, y+".") && strings.Contains(y, ".") { // an attribute of it
		return true
	}
	if y == "" || !strings.HasSuffix(x, y) {
		return false
	}
	return strings.IndexByte("/:.", x[len(x)-len(y)-1]) >= 0
}

func compareWeb(a, b *Sighting) JoinRule {
	switch {
	case sameWeakness(a, b) == 0, contradict(a, b):
		return 0
	case a.path == b.path && strings.EqualFold(a.Param, b.Param):
		return JoinWebParameter
	}
	return JoinWebEndpoint
}

func compareHost(a, b *Sighting) JoinRule {
	switch {
	case contradict(a, b):
		return 0
	case len(a.roots) > 0 && len(b.roots) > 0:
		if mostlySame(a.roots, b.roots) {
			return JoinHostVulnerability
		}
		return 0
	case len(a.weak) > 0 && slices.Equal(a.weak, b.weak): // one of two faults is another finding than both
		return JoinHostCheck
	}
	return 0
}

// mostlySame reports whether one list of vulnerabilities is within the other and at
// least half of it: tools that look for one advisory know more or fewer of its names.
func mostlySame(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return 2*len(a) >= len(b)
}
