package identity

import (
	"fmt"
	"strconv"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Pass says by what an observation was recognised. It is stored with assignments
// and presences: numbers are never reused.
type Pass uint8

// The passes, in the order in which they are tried.
const (
	PassNew       Pass = 0  // nothing was recognised: a new finding
	PassUnchanged Pass = 1  // everything shown is as it was
	PassTool      Pass = 2  // the tool's id or fingerprint
	PassContent   Pass = 3  // rule and content
	PassPlace     Pass = 4  // rule and place
	PassMoved     Pass = 5  // rule and content, in another place
	PassNear      Pass = 6  // rule and file or host, and the nearest line
	PassManual    Pass = 15 // a person said so

	// PassSibling is added to a pass when the finding was recognised in another ref
	// of its family: PassSibling + PassContent.
	PassSibling Pass = 0x20
)

// Sibling reports whether the finding was recognised in another ref.
func (p Pass) Sibling() bool { return p&PassSibling != 0 }

// Base is p without the mark of a sibling.
func (p Pass) Base() Pass { return p &^ PassSibling }

var passNames = map[Pass]string{
	PassNew: "new", PassUnchanged: "unchanged", PassTool: "tool", PassContent: "content", PassPlace: "place",
	PassMoved: "moved", PassNear: "near", PassManual: "manual",
}

// String is the name by which the outside knows p.
func (p Pass) String() string {
	name, ok := passNames[p.Base()]
	if !ok {
		return "pass " + strconv.Itoa(int(p))
	}
	if p.Sibling() {
		return "sibling " + name
	}
	return name
}

// ParsePass is the inverse of [Pass.String].
func ParsePass(s string) (Pass, bool) {
	for p := range passNames {
		switch s {
		case p.String():
			return p, true
		case (p | PassSibling).String():
			return p | PassSibling, true
		}
	}
	return 0, false
}

// Explain says in one sentence what agreed, for what the two observations show.
// Either may be nil when it is not at hand.
func (p Pass) Explain(was, is *sinew.Observation) string {
	s := p.agreed(was, is)
	if p.Sibling() {
		s += "; recognised in another ref"
	}
	return s
}

func (p Pass) agreed(was, is *sinew.Observation) string {
	o := is
	if o == nil {
		o = was
	}
	if o == nil {
		o = &sinew.Observation{}
	}
	class := o.Class()
	switch p.Base() {
	case PassNew:
		return "nothing known before agrees with it"
	case PassUnchanged:
		return "the observation is the same as the last one"
	case PassManual:
		return "a person said that it is the same"
	case PassTool:
		if o.ToolID != "" {
			return fmt.Sprintf("the tool's id %s agrees", o.ToolID)
		}
		if scheme, _ := fingerprint(o.Fingerprints); scheme != "" {
			return fmt.Sprintf("rule and the tool's fingerprint %s agree", scheme)
		}
		return "the tool's id or fingerprint agrees"
	case PassContent:
		return contentAgrees[class] + " agree" + moved(was, is)
	case PassPlace:
		return placeAgrees[class] + " agree" + moved(was, is)
	case PassMoved:
		return movedAgrees[class] + " agree" + moved(was, is)
	case PassNear:
		return nearAgrees[class] + " agree" + moved(was, is)
	case PassSibling: // a mark, no pass
	}
	return "recognised by " + p.String()
}

var (
	contentAgrees = map[sinew.Class]string{
		sinew.ClassCode: "rule, file and snippet", sinew.ClassSecret: "rule, file and secret",
		sinew.ClassDependency: "vulnerability, package with version and path",
		sinew.ClassWeb:        "rule, method, URL and parameter", sinew.ClassHost: "rule, host and port",
		sinew.ClassResource: "rule and resource", sinew.ClassOther: "rule and title",
	}
	placeAgrees = map[sinew.Class]string{
		sinew.ClassCode: "rule, file and symbol", sinew.ClassSecret: "file and secret",
		sinew.ClassDependency: "vulnerability, package and path", sinew.ClassWeb: "rule, URL and parameter",
		sinew.ClassHost: "rule and host", sinew.ClassResource: "rule and the resource's type and name",
		sinew.ClassOther: "rule and ids",
	}
	movedAgrees = map[sinew.Class]string{
		sinew.ClassCode: "rule and snippet", sinew.ClassSecret: "rule and secret",
		sinew.ClassDependency: "vulnerability and package with version",
		sinew.ClassWeb:        "rule, method, path and parameter", sinew.ClassHost: "rule",
		sinew.ClassResource: "rule", sinew.ClassOther: "rule",
	}
	nearAgrees = map[sinew.Class]string{
		sinew.ClassCode: "rule and file", sinew.ClassSecret: "rule and file", sinew.ClassDependency: "vulnerability",
		sinew.ClassWeb: "rule", sinew.ClassHost: "rule and host", sinew.ClassResource: "rule and file",
		sinew.ClassOther: "rule and place",
	}
)

// moved says how the place differs, if it does.
func moved(was, is *sinew.Observation) string {
	if was == nil || is == nil {
		return ""
	}
	from, to := PathOf(was), PathOf(is)
	switch {
	case from != to && from != "" && to != "":
		return fmt.Sprintf("; the file moved from %s to %s", from, to)
	case was.Line != is.Line && was.Line > 0 && is.Line > 0:
		return fmt.Sprintf("; the line moved from %d to %d", was.Line, is.Line)
	case was.Package != nil && is.Package != nil && was.Package.Version != is.Package.Version:
		return fmt.Sprintf("; the version went from %s to %s", was.Package.Version, is.Package.Version)
	case was.Endpoint != nil && is.Endpoint != nil && was.Endpoint.URL != is.Endpoint.URL:
		return fmt.Sprintf("; the URL was %s and is %s", was.Endpoint.URL, is.Endpoint.URL)
	}
	return ""
}
