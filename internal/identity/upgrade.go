package identity

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Repair is what reports say of how findings of a package are repaired.
type Repair struct {
	Installed string   // version; empty if no report tells it
	Fixed     []string // versions that repair it, one for each line of releases that is cared for
	N         int64    // findings of which it is so
}

// LeastUpgrade says which version closes most of the findings of a package: the
// least one that closes as many as any other that reports name.
//
// A version closes a finding if it is newer than the installed one, and not older
// than all versions that repair it; or if it is at least one of these and of the
// same line of releases: 2.3.9 closes what is repaired in 2.3.1 and 3.0.2, and
// 3.0.0 does not. Where reports are silent about a line, it is taken not to.
func LeastUpgrade(ecosystem string, repairs []Repair) sinew.Upgrade {
	up := sinew.Upgrade{Ecosystem: ecosystem}
	o := newOrdering(ecosystem, repairs)
	lists := make([]repairList, len(repairs))
	for i, r := range repairs {
		up.Of += r.N
		if len(r.Fixed) == 0 {
			up.Unfixed += r.N
		}
		lists[i] = o.list(&r)
	}
	for _, candidate := range o.candidates(repairs) {
		var closes int64
		for i := range lists {
			if o.closes(candidate, &lists[i]) {
				closes += lists[i].n
			}
		}
		if closes > up.Closes {
			up.Closes, up.To = closes, o.versions[candidate].text
		}
	}
	return up
}

// UpgradesByVersion is [LeastUpgrade] of each installed version, oldest first.
func UpgradesByVersion(ecosystem string, repairs []Repair) []sinew.InstalledVersion {
	of := map[string][]Repair{}
	var versions []string
	for _, r := range repairs {
		if of[r.Installed] == nil {
			versions = append(versions, r.Installed)
		}
		of[r.Installed] = append(of[r.Installed], r)
	}
	slices.SortFunc(versions, func(a, b string) int { return cmp.Or(CompareVersions(ecosystem, a, b), strings.Compare(a, b)) })
	out := make([]sinew.InstalledVersion, len(versions))
	for i, v := range versions {
		up := LeastUpgrade(ecosystem, of[v])
		out[i] = sinew.InstalledVersion{Version: v, To: up.To, Closes: up.Closes, Of: up.Of}
	}
	return out
}

// maxCandidates bounds the versions that are tried: of more, the newest.
const maxCandidates = 500

// ordering is all versions that repairs name, oldest first: an index stands for one.
type ordering struct {
	versions []version
	rank     []int // of each; equal ones share it
	lines    [][]string
	at       map[string]int // text -> index
}

func newOrdering(ecosystem string, repairs []Repair) *ordering {
	o := &ordering{at: map[string]int{}}
	add := func(text string) {
		if _, had := o.at[text]; !had && text != "" {
			o.at[text] = 0
			o.versions = append(o.versions, parseVersion(ecosystem, text))
			o.versions[len(o.versions)-1].text = text
		}
	}
	for _, r := range repairs {
		add(r.Installed)
		for _, f := range r.Fixed {
			add(f)
		}
	}
	slices.SortFunc(o.versions, func(a, b version) int { return cmp.Or(a.compare(b), strings.Compare(a.text, b.text)) })
	o.rank, o.lines = make([]int, len(o.versions)), make([][]string, len(o.versions))
	for i, v := range o.versions {
		o.at[v.text] = i
		o.lines[i] = strings.FieldsFunc(v.text, func(r rune) bool { return r < '0' || r > '9' })
		o.rank[i] = i
		if i > 0 && v.compare(o.versions[i-1]) == 0 {
			o.rank[i] = o.rank[i-1]
		}
	}
	return o
}

// repairList is a [Repair] by the ranks of its versions.
type repairList struct {
	installed int // -1 for none
	fixed     []int
	n         int64
}

func (o *ordering) list(r *Repair) repairList {
	l := repairList{installed: -1, n: r.N}
	if r.Installed != "" {
		l.installed = o.at[r.Installed]
	}
	for _, f := range r.Fixed {
		if f != "" {
			l.fixed = append(l.fixed, o.at[f])
		}
	}
	slices.Sort(l.fixed)
	return l
}

// candidates are the versions that repair something, oldest first.
func (o *ordering) candidates(repairs []Repair) []int {
	repairing := make([]bool, len(o.versions))
	for _, r := range repairs {
		for _, f := range r.Fixed {
			if f != "" {
				repairing[o.at[f]] = true
			}
		}
	}
	var out []int
	for i, is := range repairing {
		if is {
			out = append(out, i)
		}
	}
	return out[max(0, len(out)-maxCandidates):]
}

func (o *ordering) closes(v int, l *repairList) bool {
	if len(l.fixed) == 0 || l.installed >= 0 && o.rank[v] <= o.rank[l.installed] {
		return false
	}
	if l.installed >= 0 && o.rank[l.fixed[len(l.fixed)-1]] <= o.rank[l.installed] {
		return false // what repairs it is in use already, and it was found all the same
	}
	for i, f := range slices.Backward(l.fixed) {
		if o.rank[v] < o.rank[f] {
			continue
		}
		// f is the newest repair that v includes.
		return i == len(l.fixed)-1 || o.rank[v] == o.rank[f] || o.sameLine(v, f, l.fixed[i+1])
	}
	return false
}

// sameLine reports whether v is of f's line of releases and not of that of next:
// whether it has the numbers of f up to the one in which f and next first differ.
func (o *ordering) sameLine(v, f, next int) bool {
	a, b, c := o.lines[v], o.lines[f], o.lines[next]
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			return false
		}
		if i >= len(c) || b[i] != c[i] {
			return true
		}
	}
	return false
}
