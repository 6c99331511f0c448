package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/sinewsec/sinew/internal/sinew"
)

// RulesSchema is the version of the rules document.
const RulesSchema = "rules/v1"

// maxRulesBytes bounds the size of a rules document.
const maxRulesBytes = 4 << 20

// Rules say which application, service and environment a finding belongs to, and
// which refs of a target count. They are one document, in YAML or JSON:
//
//	schema: rules/v1
//	organisations:
//	  - name: Example
//	    business_units:
//	      - name: Retail
//	        applications:
//	          - name: shop
//	            match: [{target: git.example.org/shop/web}]
//	            services:
//	              - name: checkout
//	                match: [{path: services/checkout}]
//	environments:
//	  - name: production
//	    match: [{namespace: "prod-*"}, {account: "123456789012", label: env=prod}]
//	refs:
//	  - target: git.example.org/legacy/**
//	    default: [develop]
//	    release: ["rel/*"]
//	coverage:
//	  - test: [code, dependency, secret]
//	    every: 7d
//	  - application: shop*
//	    test: web
//	    every: 2w
//
// Applications may stand under a business unit, an organisation, or alone. In a
// match everything given must hold; of a list one is enough. The match with the
// most literal characters wins, then the one written first. A match of a service
// that names no target, image, account, namespace or host holds within its
// application's.
type Rules struct {
	Schema        string         `yaml:"schema" json:"schema"`
	Organisations []Organisation `yaml:"organisations,omitempty" json:"organisations,omitempty"`
	Applications  []Application  `yaml:"applications,omitempty" json:"applications,omitempty"`
	Environments  []Environment  `yaml:"environments,omitempty" json:"environments,omitempty"`
	Refs          []RefRule      `yaml:"refs,omitempty" json:"refs,omitempty"`
	// Coverage says which tests are needed and how often; nil for the default,
	// empty for none. See [Rules.Need].
	Coverage *[]CoverageRule `yaml:"coverage,omitempty" json:"coverage,omitempty"`

	compiled *compiledRules
}

// Organisation is the top of the tree that numbers roll up along.
type Organisation struct {
	Name          string         `yaml:"name" json:"name"`
	BusinessUnits []BusinessUnit `yaml:"business_units,omitempty" json:"business_units,omitempty"`
	Applications  []Application  `yaml:"applications,omitempty" json:"applications,omitempty"`
}

// BusinessUnit is a part of an organisation.
type BusinessUnit struct {
	Name         string        `yaml:"name" json:"name"`
	Applications []Application `yaml:"applications,omitempty" json:"applications,omitempty"`
}

// Application is an access unit. Its name is unique in the document.
type Application struct {
	Name     string    `yaml:"name" json:"name"`
	Match    []Cond    `yaml:"match,omitempty" json:"match,omitempty"`
	Services []Service `yaml:"services,omitempty" json:"services,omitempty"`
}

// Service is a part of an application: a path of a monorepo, an image, a namespace.
type Service struct {
	Name  string `yaml:"name" json:"name"`
	Match []Cond `yaml:"match,omitempty" json:"match,omitempty"`
}

// Environment is where things run: production, staging.
type Environment struct {
	Name  string `yaml:"name" json:"name"`
	Match []Cond `yaml:"match,omitempty" json:"match,omitempty"`
}

// RefRule replaces the built-in names of default and release refs for some targets.
type RefRule struct {
	Target  string   `yaml:"target" json:"target"`
	Default []string `yaml:"default,omitempty" json:"default,omitempty"`
	Release []string `yaml:"release,omitempty" json:"release,omitempty"`
}

// Cond is one match: globs (* within a segment, ** across), all of which must hold.
// A path without a glob is a file or a folder with all that is in it; a label is
// key=value, or key for any value. Case matters in paths, refs and labels only.
type Cond struct {
	Target    string `yaml:"target,omitempty" json:"target,omitempty"`
	Ref       string `yaml:"ref,omitempty" json:"ref,omitempty"`
	Path      string `yaml:"path,omitempty" json:"path,omitempty"`
	Image     string `yaml:"image,omitempty" json:"image,omitempty"`
	Account   string `yaml:"account,omitempty" json:"account,omitempty"`
	Namespace string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Host      string `yaml:"host,omitempty" json:"host,omitempty"`
	Label     string `yaml:"label,omitempty" json:"label,omitempty"`
}

// fields gives the conditions by name.
func (c *Cond) fields() [8][2]string {
	return [8][2]string{
		{"target", c.Target},
		{"ref", c.Ref},
		{"path", c.Path},
		{"image", c.Image},
		{"account", c.Account},
		{"namespace", c.Namespace},
		{"host", c.Host},
		{"label", c.Label},
	}
}

// standsAlone reports whether c says which thing it is about, not only which part.
func (c *Cond) standsAlone() bool {
	return c.Target != "" || c.Image != "" || c.Account != "" || c.Namespace != "" || c.Host != ""
}

// Subject is what rules are asked about. What is unknown is empty and fulfils no
// condition.
type Subject struct {
	Target    string
	Ref       string
	Path      string
	Image     string // with or without tag
	Account   string
	Namespace string
	Host      string
	Labels    map[string]string
}

// Assignment is what the rules say of a subject; what no rule claims is empty.
type Assignment struct {
	Organisation string
	BusinessUnit string
	Application  string
	Service      string
	Environment  string
}

// Unit is an application of the rules, with its place in the tree.
type Unit struct {
	Organisation string
	BusinessUnit string
	Application  string
	Services     []string
}

// ParseRules reads and validates a rules document. Errors name the line.
func ParseRules(doc []byte) (*Rules, error) {
	if len(doc) > maxRulesBytes {
		return nil, sinew.Errorf(sinew.CodeTooLarge, "the rules have %d bytes; %d are allowed", len(doc), maxRulesBytes)
	}
	if trimmed := bytes.TrimSpace(doc); len(trimmed) > 0 && trimmed[0] == '{' {
		doc = bytes.ReplaceAll(doc, []byte{'\t'}, []byte{' '}) // YAML forbids tabs that JSON allows; neither has them in strings
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(doc, &tree); err != nil {
		return nil, yamlError(err)
	}
	r := &Rules{}
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	dec.KnownFields(true)
	if err := dec.Decode(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	if err := r.Validate(); err != nil {
		if e, ok := errors.AsType[*sinew.Error](err); ok {
			if line := lineOf(&tree, e.Where); line > 0 {
				e.Where = fmt.Sprintf("line %d, %s", line, e.Where)
			}
		}
		return nil, err
	}
	r.compiled = r.compile()
	return r, nil
}

// yamlError makes the parser's message fit to show.
func yamlError(err error) error {
	msg := err.Error()
	if t, ok := errors.AsType[*yaml.TypeError](err); ok && len(t.Errors) > 0 {
		msg = t.Errors[0]
	}
	msg = strings.TrimPrefix(msg, "yaml: ")
	if i := strings.Index(msg, " in type "); i >= 0 {
		msg = strings.Replace(msg[:i], " not found", " is not known here", 1)
	}
	if i := strings.Index(msg, " into "); i >= 0 {
		msg = msg[:i] + " here"
	}
	where := ""
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if n, tail, ok := strings.Cut(rest, ": "); ok {
			where, msg = "line "+n, tail
		}
	}
	return sinew.Errorf(sinew.CodeInvalid, "the rules cannot be read: %s", msg).At(where).
		Hint("its parts are schema, organisations, business_units, applications, services, match, environments, refs and coverage")
}

// lineOf finds the line of a place such as applications[2].match[0].path.
func lineOf(n *yaml.Node, where string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for step := range strings.FieldsFuncSeq(where, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var child *yaml.Node
		if i, err := strconv.Atoi(step); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
			child = n.Content[i]
		}
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				child = n.Content[i+1]
			}
		}
		if child == nil {
			break
		}
		n, line = child, child.Line
	}
	return line
}

// Document writes r as YAML that [ParseRules] reads.
func (r *Rules) Document() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("write the rules: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write the rules: %w", err)
	}
	return b.Bytes(), nil
}

// Validate reports the first thing that makes r unusable, and where it is.
func (r *Rules) Validate() error {
	if r.Schema != RulesSchema {
		return sinew.Errorf(sinew.CodeUnsupported, "the rules have schema %q", r.Schema).At("schema").
			Hint("write schema: %s", RulesSchema)
	}
	v := &rulesValidator{seen: map[string]string{}}
	for i, o := range r.Organisations {
		at := fmt.Sprintf("organisations[%d]", i)
		v.name(at, "organisation", "", o.Name)
		for j, b := range o.BusinessUnits {
			at := fmt.Sprintf("%s.business_units[%d]", at, j)
			v.name(at, "business unit", o.Name, b.Name)
			v.applications(at, b.Applications)
		}
		v.applications(at, o.Applications)
	}
	v.applications("", r.Applications)
	for i, e := range r.Environments {
		at := fmt.Sprintf("environments[%d]", i)
		v.name(at, "environment", "", e.Name)
		v.conds(at, e.Match)
	}
	for i, ref := range r.Refs {
		at := fmt.Sprintf("refs[%d]", i)
		if ref.Target == "" {
			v.fail(at, "the ref rule names no target", "use target: \"**\" for all")
		}
		if len(ref.Default)+len(ref.Release) == 0 {
			v.fail(at, "the ref rule says nothing", "give default or release")
		}
		v.glob(at+".target", ref.Target)
		for j, g := range ref.Default {
			v.glob(fmt.Sprintf("%s.default[%d]", at, j), g)
		}
		for j, g := range ref.Release {
			v.glob(fmt.Sprintf("%s.release[%d]", at, j), g)
		}
	}
	if r.Coverage != nil {
		v.coverage(*r.Coverage)
	}
	if v.err != nil {
		return v.err
	}
	return nil
}

// rulesValidator keeps the first fault.
type rulesValidator struct {
	seen map[string]string // what is named, where
	err  *sinew.Error
}

func (v *rulesValidator) fail(at, message, hint string) {
	if v.err == nil {
		v.err = sinew.Errorf(sinew.CodeInvalid, "%s", message).At(at).Hint("%s", hint)
	}
}

func (v *rulesValidator) name(at, what, within, name string) {
	switch {
	case strings.TrimSpace(name) == "":
		v.fail(at, "the "+what+" has no name", "give it a name")
		return
	case name != strings.TrimSpace(name), len(name) > 200, strings.ContainsFunc(name, unicode.IsControl):
		v.fail(at+".name", fmt.Sprintf("the name %q cannot be used", name), "use at most 200 characters, without space around them")
	case strings.Contains(name, "/") && what != "environment":
		v.fail(at+".name", fmt.Sprintf("the name %q has a slash", name), "a slash parts application and service; use another character")
	}
	key := what + "\x00" + strings.ToLower(within) + "\x00" + strings.ToLower(name)
	if before, ok := v.seen[key]; ok {
		v.fail(at+".name", fmt.Sprintf("the %s %q is there twice, first at %s", what, name, before), "give each its own name")
	}
	v.seen[key] = at
}

func (v *rulesValidator) applications(at string, apps []Application) {
	if at != "" {
		at += "."
	}
	for i, a := range apps {
		at := fmt.Sprintf("%sapplications[%d]", at, i)
		v.name(at, "application", "", a.Name)
		v.conds(at, a.Match)
		for j, s := range a.Services {
			at := fmt.Sprintf("%s.services[%d]", at, j)
			v.name(at, "service", a.Name, s.Name)
			v.conds(at, s.Match)
			for k, c := range s.Match {
				if !c.standsAlone() && len(a.Match) == 0 {
					v.fail(fmt.Sprintf("%s.match[%d]", at, k), "the match does not say of which target, and its application has no match",
						"add target, or give the application a match")
				}
			}
		}
	}
}

func (v *rulesValidator) conds(at string, conds []Cond) {
	for i, c := range conds {
		at := fmt.Sprintf("%s.match[%d]", at, i)
		given := false
		for _, f := range c.fields() {
			given = given || f[1] != ""
			v.glob(at+"."+f[0], f[1])
		}
		if !given {
			v.fail(at, "the match is empty", "name a target, ref, path, image, account, namespace, host or label")
		}
	}
}

func (v *rulesValidator) glob(at, pattern string) {
	if !doublestar.ValidatePattern(pattern) {
		v.fail(at, fmt.Sprintf("%q is no pattern", pattern), "close its brackets and braces, or put a backslash before them")
	}
}

// Units lists the applications in the order of the document.
func (r *Rules) Units() []Unit {
	var units []Unit
	r.walk(func(org, bu string, a *Application) {
		u := Unit{Organisation: org, BusinessUnit: bu, Application: a.Name}
		for _, s := range a.Services {
			u.Services = append(u.Services, s.Name)
		}
		units = append(units, u)
	})
	return units
}

// WithApplication gives a copy of r that has the application, without a match, and
// whether it had to be added.
func (r *Rules) WithApplication(name string) (*Rules, bool) {
	found := false
	r.walk(func(_, _ string, a *Application) { found = found || strings.EqualFold(a.Name, name) })
	if found {
		return r, false
	}
	c := *r
	c.Schema = RulesSchema
	c.Applications = append(slices.Clone(r.Applications), Application{Name: name})
	c.compiled = c.compile()
	return &c, true
}

func (r *Rules) walk(visit func(org, bu string, a *Application)) {
	for i := range r.Organisations {
		o := &r.Organisations[i]
		for j := range o.BusinessUnits {
			b := &o.BusinessUnits[j]
			for k := range b.Applications {
				visit(o.Name, b.Name, &b.Applications[k])
			}
		}
		for k := range o.Applications {
			visit(o.Name, "", &o.Applications[k])
		}
	}
	for k := range r.Applications {
		visit("", "", &r.Applications[k])
	}
}
