package filter

import (
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Kind says how the values of a field are written and compared.
type Kind string

// The kinds.
const (
	KindEnum   Kind = "enum"   // one of a list of words
	KindName   Kind = "name"   // a whole name, upper and lower case alike; * stands for anything; ~ before it finds it anywhere
	KindNumber Kind = "number" // a whole number, with > < >= <=
	KindTime   Kind = "time"   // a date with > < >= <=, or an age with > (older) or < (younger)
	KindText   Kind = "text"   // words found anywhere, upper and lower case alike
)

// Field is one thing that can be asked about.
type Field struct {
	Name    string   `json:"name"`
	Kind    Kind     `json:"kind"`
	Doc     string   `json:"doc"`
	Example string   `json:"example"`
	Values  []Value  `json:"values,omitempty"`  // of an enum
	Ordered bool     `json:"ordered,omitempty"` // an enum whose words compare
	None    bool     `json:"none,omitempty"`    // "none" asks for findings without one
	Aliases []string `json:"aliases,omitempty"`
}

// Value is one word of an enum.
type Value struct {
	Name string `json:"name"`
	Doc  string `json:"doc,omitempty"`
}

// Compares reports whether the field takes > < >= <=.
func (f Field) Compares() bool { return f.Ordered || f.Kind == KindNumber || f.Kind == KindTime }

// The fields that the parser itself treats apart.
const (
	fieldText     = "text"
	fieldSeverity = "severity"
	fieldIs       = "is"
	fieldCWE      = "cwe"
	fieldKEV      = "kev"
	fieldID       = "id"
)

// opExact compares with the very name: case counts, and * stands for itself.
const opExact = "=="

// Fields lists everything that can be asked about, in the order of the
// documentation.
func Fields() []Field {
	return []Field{
		{Name: fieldSeverity, Kind: KindEnum, Ordered: true, Aliases: []string{"sev"}, Values: severities(), Example: "severity:>=high", Doc: "how bad it is, on the one scale that every tool's words are mapped to"},
		{Name: fieldIs, Kind: KindEnum, Aliases: []string{"state"}, Values: isWords(), Example: "is:open", Doc: "the state of the finding"},
		{Name: "class", Kind: KindEnum, Values: classes(), Example: "class:dependency", Doc: "what kind of place it is in"},
		{Name: "place", Kind: KindEnum, Values: placeKinds(), Example: "place:deployed", Doc: "where it is present: kind of the place"},
		{Name: "tool", Kind: KindName, Example: "tool:trivy,grype", Doc: "the tool that reported it"},
		{Name: "rule", Kind: KindName, Example: "rule:go.lang.*", Doc: "the tool's rule, check or plug-in"},
		{Name: "app", Kind: KindName, None: true, Aliases: []string{"application"}, Example: "app:shop", Doc: "the application it belongs to"},
		{Name: "service", Kind: KindName, None: true, Example: "service:cart", Doc: "the service of the application"},
		{Name: "env", Kind: KindName, None: true, Aliases: []string{"environment"}, Example: "env:prod", Doc: "an environment in which a version runs that has it"},
		{Name: "ref", Kind: KindName, Aliases: []string{"branch"}, Example: "ref:main", Doc: "a branch, tag, change (pr:12) or image tag in which it is present"},
		{Name: "target", Kind: KindName, Example: "target:git.example.org/shop/*", Doc: "what was scanned: repository, image, account, cluster, host group"},
		{Name: "source", Kind: KindName, None: true, Example: "source:ci-main", Doc: "the pipeline, gateway or account that sent the report"},
		{Name: fieldCWE, Kind: KindNumber, None: true, Example: "cwe:79,89", Doc: "the weakness, with or without CWE- in front; no comparison"},
		{Name: fieldID, Kind: KindName, None: true, Aliases: []string{"cve"}, Example: "id:CVE-2024-3094", Doc: "a public id of the vulnerability: CVE, GHSA and the like"},
		{Name: "file", Kind: KindName, None: true, Aliases: []string{"path"}, Example: "file:src/*.py", Doc: "the file; * goes across slashes"},
		{Name: "line", Kind: KindNumber, Example: "line:>10", Doc: "the line in the file"},
		{Name: "package", Kind: KindName, None: true, Aliases: []string{"pkg"}, Example: "package:openssl", Doc: "the name of the package"},
		{Name: "purl", Kind: KindName, None: true, Example: "purl:pkg:npm/lodash@*", Doc: "the package URL"},
		{Name: "image", Kind: KindName, None: true, Example: "image:*/shop/web", Doc: "the container image"},
		{Name: "host", Kind: KindName, None: true, Example: "host:10.0.0.7", Doc: "the machine"},
		{Name: "resource", Kind: KindName, None: true, Example: "resource:arn:aws:s3:::*", Doc: "the cloud or cluster resource: id, else name, else type"},
		{Name: "endpoint", Kind: KindName, None: true, Aliases: []string{"url"}, Example: "endpoint:*/login*", Doc: "the web or network endpoint: method and URL, or the URL alone"},
		{Name: "cause", Kind: KindName, None: true, Example: `cause:~lodash`, Doc: "the root cause: what mends this and others together, as groups by root_cause name it"},
		{Name: "owner", Kind: KindName, None: true, Example: "-owner:none", Doc: "who looks after it"},
		{Name: fieldKEV, Kind: KindEnum, Values: []Value{{Name: "true"}, {Name: "false"}}, Example: "kev:true", Doc: "known to be exploited; unknown, and so matching nothing, until intelligence is loaded"},
		{Name: "first", Kind: KindTime, Example: "first:>7d", Doc: "when it was first seen"},
		{Name: "last", Kind: KindTime, Example: "last:<24h", Doc: "when it was last seen"},
		{Name: "since", Kind: KindTime, Example: "since:>=2026-01-01", Doc: "when its state began"},
		{Name: fieldText, Kind: KindText, Example: `"sql injection"`, Doc: "words in title, rule, ids, file, package, host, resource or endpoint; a word without a field means this"},
	}
}

// fields is the list once, for look-ups; nobody gets hold of it to change it.
var fields = Fields()

// Lookup finds a field by its name or an alias of it.
func Lookup(name string) (Field, bool) {
	name = strings.ToLower(name)
	for _, f := range fields {
		if f.Name == name || slices.Contains(f.Aliases, name) {
			return f, true
		}
	}
	return Field{}, false
}

func severities() []Value {
	out := make([]Value, len(sinew.Severities))
	for i, s := range sinew.Severities {
		out[i] = Value{Name: string(s)}
	}
	return out
}

// Words of the field is that are about how findings are shown, not their state.
const (
	IsMerged    = "merged"
	IsDuplicate = "duplicate"
)

// isWords are the words of the field is; [Term.States] says what they mean.
func isWords() []Value {
	return []Value{
		{"open", "everything that still has to be dealt with: untriaged, triaged, in progress, not observed, scope lost"},
		{"untriaged", "open, and nobody decided anything yet"},
		{"triaged", "somebody confirmed it"},
		{"in_progress", "somebody works on it"},
		{"accepted", "the risk is accepted"},
		{"false_positive", "it is none"},
		{"not_observed", "a newer scan did not see it, and does not say that it looked there"},
		{"scope_lost", "nothing looks there any more"},
		{"fixed", "a newer scan looked there and did not see it"},
		{"gone", "what it was in has ended"},
		{"closed", "fixed or gone"},
		{"reopened", "was closed once and came back"},
		{IsMerged, "several streams tell it: others are shown as part of it"},
		{IsDuplicate, "is shown as part of another; lists leave it out unless they ask for it"},
	}
}

func classes() []Value {
	return []Value{
		{"code", "a place in a file"},
		{"dependency", "a package in a manifest, image or host"},
		{"secret", "a credential in a file or in history"},
		{"resource", "a cloud or cluster resource"},
		{"web", "an endpoint"},
		{"host", "a machine and port"},
		{"other", "the report tells no place"},
	}
}

func placeKinds() []Value {
	return []Value{
		{"default", "the default branch, or the only version of a target that has no refs"},
		{"release", "a release branch or tag"},
		{"branch", "any other branch or tag"},
		{"change", "a pull or merge request"},
		{"deployed", "a version that runs in an environment"},
	}
}

// nearest gives the word of list that s was probably meant to be, if any.
func nearest(s string, list []string) (string, bool) {
	s = strings.ToLower(s)
	best, dist := "", len(s)/3+2
	for _, w := range list {
		if len(s) >= 2 && strings.HasPrefix(w, s) {
			return w, true
		}
		if d := distance(s, w); d < dist {
			best, dist = w, d
		}
	}
	return best, best != ""
}

// distance is Levenshtein's with transposed neighbours as one step, over bytes.
func distance(a, b string) int {
	if len(a) > 32 || len(b) > 32 {
		return max(len(a), len(b))
	}
	two, one, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}
