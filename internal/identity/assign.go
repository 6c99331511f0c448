package identity

import (
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// compiledRules are the matches in the order in which they are tried: the most
// literal first.
type compiledRules struct {
	owners       []compiledRule
	environments []compiledRule
}

type compiledRule struct {
	conds  []*Cond // all must hold
	is     Assignment
	weight int
}

func (r *Rules) compile() *compiledRules {
	c := &compiledRules{}
	r.walk(func(org, bu string, a *Application) {
		is := Assignment{Organisation: org, BusinessUnit: bu, Application: a.Name}
		for i := range a.Match {
			c.owners = append(c.owners, newCompiledRule(is, &a.Match[i]))
		}
		for j := range a.Services {
			s := &a.Services[j]
			is.Service = s.Name
			for i := range s.Match {
				if s.Match[i].standsAlone() {
					c.owners = append(c.owners, newCompiledRule(is, &s.Match[i]))
					continue
				}
				for k := range a.Match {
					c.owners = append(c.owners, newCompiledRule(is, &a.Match[k], &s.Match[i]))
				}
			}
		}
	})
	for i := range r.Environments {
		e := &r.Environments[i]
		for j := range e.Match {
			c.environments = append(c.environments, newCompiledRule(Assignment{Environment: e.Name}, &e.Match[j]))
		}
	}
	heaviest := func(a, b compiledRule) int { return b.weight - a.weight }
	slices.SortStableFunc(c.owners, heaviest)
	slices.SortStableFunc(c.environments, heaviest)
	return c
}

func newCompiledRule(is Assignment, conds ...*Cond) compiledRule {
	r := compiledRule{conds: conds, is: is}
	for _, c := range conds {
		for _, f := range c.fields() {
			r.weight += literals(f[1])
		}
	}
	return r
}

// literals counts the characters of a pattern that stand for themselves; a pattern
// that has no others counts one more.
func literals(pattern string) int {
	if pattern == "" {
		return 0
	}
	if !isGlob(pattern) {
		return len(pattern) + 1
	}
	n := 0
	for i := range len(pattern) {
		if !strings.ContainsRune("*?[]{}\\", rune(pattern[i])) {
			n++
		}
	}
	return n
}

func (r *Rules) ready() *compiledRules {
	if r.compiled != nil {
		return r.compiled
	}
	return r.compile()
}

// Narrow gives the rules that can hold for subjects of one target and ref, for
// callers that ask for each finding of a snapshot.
func (r *Rules) Narrow(target, ref string) *Rules {
	all := r.ready()
	fits := func(rule compiledRule) bool {
		for _, c := range rule.conds {
			if c.Target != "" && !foldGlob(c.Target, target) || c.Ref != "" && !refGlob(c.Ref, ref) {
				return false
			}
		}
		return true
	}
	n := *r
	n.compiled = &compiledRules{}
	for _, rule := range all.owners {
		if fits(rule) {
			n.compiled.owners = append(n.compiled.owners, rule)
		}
	}
	for _, rule := range all.environments {
		if fits(rule) {
			n.compiled.environments = append(n.compiled.environments, rule)
		}
	}
	return &n
}

// Assign says to what s belongs.
func (r *Rules) Assign(s Subject) Assignment {
	c := r.ready()
	var out Assignment
	for i := range c.owners {
		if c.owners[i].holds(&s) {
			out = c.owners[i].is
			break
		}
	}
	for i := range c.environments {
		if c.environments[i].holds(&s) {
			out.Environment = c.environments[i].is.Environment
			break
		}
	}
	return out
}

// RefRules gives the names of refs that count for target: those of the rule with the
// most literal characters.
func (r *Rules) RefRules(target string) RefRules {
	best := -1
	var out RefRules
	for _, rule := range r.Refs {
		if n := literals(rule.Target); n > best && foldGlob(rule.Target, target) {
			best, out = n, RefRules{Default: rule.Default, Release: rule.Release}
		}
	}
	return out
}

func (r *compiledRule) holds(s *Subject) bool {
	for _, c := range r.conds {
		if !c.holds(s) {
			return false
		}
	}
	return true
}

func (c *Cond) holds(s *Subject) bool {
	return (c.Target == "" || foldGlob(c.Target, s.Target)) &&
		(c.Ref == "" || refGlob(c.Ref, s.Ref)) &&
		(c.Path == "" || pathGlob(c.Path, s.Path)) &&
		(c.Image == "" || foldGlob(c.Image, s.Image) || foldGlob(c.Image, imageName(s.Image))) &&
		(c.Account == "" || foldGlob(c.Account, s.Account)) &&
		(c.Namespace == "" || foldGlob(c.Namespace, s.Namespace)) &&
		(c.Host == "" || hostGlob(c.Host, s.Host)) &&
		(c.Label == "" || labelGlob(c.Label, s.Labels))
}

func foldGlob(pattern, name string) bool {
	if name == "" {
		return false
	}
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	return pattern == name || isGlob(pattern) && glob(pattern, name)
}

func refGlob(pattern, ref string) bool {
	ref = NormalRef(ref)
	return ref != "" && (pattern == ref || isGlob(pattern) && glob(pattern, ref))
}

func pathGlob(pattern, path string) bool {
	path = NormalPath(path)
	if path == "" {
		return false
	}
	p := NormalPath(pattern)
	return p == "" || p == path || strings.HasPrefix(path, p+"/") || isGlob(p) && (glob(p, path) || glob(p+"/**", path))
}

// hostGlob compares with a name, or with the networks that an address is in.
func hostGlob(pattern, host string) bool {
	if host == "" {
		return false
	}
	x := indexScope(sinew.Scope{Include: []string{pattern}}, dimHosts)
	return x.includes(host)
}

func labelGlob(pattern string, labels map[string]string) bool {
	key, value, valued := strings.Cut(pattern, "=")
	for k, v := range labels {
		if (k == key || isGlob(key) && glob(key, k)) && (!valued || v == value || isGlob(value) && glob(value, v)) {
			return true
		}
	}
	return false
}
