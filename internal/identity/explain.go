package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Explanation says whether two sightings are one problem, and why or why not.
type Explanation struct {
	Same bool
	Join Join   // by which rule the two alone are one problem; Rule 0 if by none
	Why  string // one sentence
}

// Explain says of two sightings of a block whether they are one problem by
// themselves, and what keeps them apart if they are not.
func Explain(block []Sighting, i, j int, aliases Aliases, links *Links) Explanation {
	if len(block) > MaxBlock {
		return Explanation{Why: fmt.Sprintf("more than %d findings may be the same here: none are compared", MaxBlock)}
	}
	for k := range block {
		block[k].prepare()
	}
	namesOfVulnerabilities(block, aliases)
	a, b := &block[i], &block[j]
	if links != nil {
		switch {
		case links.Different[LinkPair(a.ID, b.ID)]:
			return Explanation{Why: "somebody said that they are different"}
		case links.Same[LinkPair(a.ID, b.ID)]:
			return Explanation{Same: true, Join: Join{A: i, B: j, Rule: JoinHand}, Why: "somebody said that they are the same"}
		case links.forbids(a, b):
			return Explanation{Why: fmt.Sprintf("somebody said that %s of %s and %s of %s are never the same", a.Rule, a.Tool, b.Rule, b.Tool)}
		}
	}
	if a.Family == b.Family {
		return Explanation{Why: "one stream tells both: what a tool tells apart stays apart"}
	}
	if why := apart(a, b); why != "" {
		return Explanation{Why: why}
	}
	c, ok := compare(block, i, j)
	if !ok {
		return Explanation{Why: "no rule says that they are the same"}
	}
	join := Join{A: i, B: j, Rule: c.rule, Values: values(a, b, c.rule)}
	for _, cl := range Correlate(block, aliases, links) {
		if slices.Contains(cl.Members, i) && slices.Contains(cl.Members, j) {
			return Explanation{Same: true, Join: join, Why: c.rule.String()}
		}
	}
	return Explanation{Join: join, Why: "they would be the same, but others match better or more than one is possible"}
}

// apart names the first thing in which two sightings differ, "" if nothing keeps
// them apart.
func apart(a, b *Sighting) string {
	differ := func(what, x, y string) string { return fmt.Sprintf("%s differs: %s and %s", what, said(x), said(y)) }
	if a.kind() != b.kind() {
		return differ("the kind", string(a.Class), string(b.Class))
	}
	switch a.kind() {
	case kindDependency:
		switch {
		case !samePackage(a, b):
			return differ("the package", packageName(a), packageName(b))
		case !slices.Equal(a.roots, b.roots):
			return differ("the vulnerability", strings.Join(a.roots, " "), strings.Join(b.roots, " "))
		case a.release != b.release && a.release != "" && b.release != "":
			return differ("the version", a.release, b.release)
		}
		return apartPlace(a, b)
	case kindFile:
		if why := apartPlace(a, b); why != "" {
			return why
		}
		return apartInFile(a, b)
	case kindResource:
		switch {
		case a.control != b.control:
			return differ("the control", a.control, b.control)
		case !sameResource(a, b):
			return differ("the resource", a.Resource, b.Resource)
		}
	case kindWeb:
		switch {
		case a.path != b.path || webHost(a.URL) != webHost(b.URL):
			return differ("the endpoint", a.URL, b.URL)
		case contradict(a, b):
			return differ("the method or parameter", strings.TrimSpace(a.Method+" "+a.Param), strings.TrimSpace(b.Method+" "+b.Param))
		case sameWeakness(a, b) == 0:
			return differ("the weakness", a.weakness(), b.weakness())
		}
	case kindHost:
		switch {
		case foldedHost(a.Host) != foldedHost(b.Host):
			return differ("the host", a.Host, b.Host)
		case contradict(a, b):
			return differ("the port", a.Port, b.Port)
		case !slices.Equal(a.roots, b.roots):
			return differ("the vulnerability", strings.Join(a.roots, " "), strings.Join(b.roots, " "))
		}
	case kindNone:
		return "neither tells a place"
	}
	return ""
}

func apartPlace(a, b *Sighting) string {
	switch {
	case imageName(a.Image) != imageName(b.Image):
		return fmt.Sprintf("the image differs: %s and %s", said(a.Image), said(b.Image))
	case otherFile(a, b):
		return fmt.Sprintf("the file differs: %s and %s", said(a.File), said(b.File))
	case otherTarget(a, b):
		return fmt.Sprintf("the target differs: %s and %s", said(a.Target), said(b.Target))
	case a.kind() == kindDependency && foldedHost(a.Host) != foldedHost(b.Host):
		return fmt.Sprintf("the host differs: %s and %s", said(a.Host), said(b.Host))
	}
	return ""
}

func apartInFile(a, b *Sighting) string {
	if a.Class == sinew.ClassSecret && b.Class == sinew.ClassSecret {
		if a.Secret != b.Secret && !overlaps(a, b) {
			return "neither the secret nor the line is the same"
		}
		return ""
	}
	if a.control == b.control && a.Resource != "" && b.Resource != "" && !sameResource(a, b) {
		return fmt.Sprintf("the resource differs: %s and %s", said(a.Resource), said(b.Resource))
	}
	if a.control != b.control && sameWeakness(a, b) == 0 {
		return fmt.Sprintf("the weakness differs: %s and %s", said(a.weakness()), said(b.weakness()))
	}
	if !overlaps(a, b) && (a.Sink == "" || a.Sink != b.Sink) {
		return fmt.Sprintf("the lines differ: %d and %d", a.Line, b.Line)
	}
	return ""
}

func said(s string) string {
	if s == "" {
		return "not told"
	}
	return s
}
