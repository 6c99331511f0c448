package identity

import (
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

const exampleRules = `
schema: rules/v1
organisations:
  - name: Example
    business_units:
      - name: Retail
        applications:
          - name: shop
            match:
              - target: git.example.org/shop/**
              - image: registry.example.org/shop/*
            services:
              - name: checkout
                match:
                  - path: services/checkout
                  - image: registry.example.org/shop/checkout
              - name: web
                match:
                  - path: web/**
          - name: warehouse
            match:
              - target: git.example.org/shop/mono
                path: warehouse
    applications:
      - name: platform
        match:
          - account: "123456789012"
          - host: 10.0.0.0/24
          - namespace: kube-*
applications:
  - name: everything else
    match: [{target: "**"}]
  - name: labelled
    match: [{label: team=blue}, {label: "owner"}]
environments:
  - name: production
    match: [{namespace: "prod-*"}, {ref: main, target: git.example.org/live/**}, {account: "123456789012", label: env=prod}]
  - name: staging
    match: [{namespace: prod-like, label: env=stage}]
refs:
  - target: "**"
    default: [trunk]
  - target: git.example.org/legacy/**
    default: [develop]
    release: ["rel/*"]
`

// GRA13
func TestRulesAssign(t *testing.T) {
	r, err := ParseRules([]byte(exampleRules))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		subject Subject
		want    string // organisation/business unit/application/service@environment
	}{
		{"a target", Subject{Target: "git.example.org/shop/web"}, "Example/Retail/shop/@"},
		{"case of a host does not matter", Subject{Target: "Git.Example.org/Shop/Web"}, "Example/Retail/shop/@"},
		{"a service by path", Subject{Target: "git.example.org/shop/mono", Path: "services/checkout/main.go"}, "Example/Retail/shop/checkout@"},
		{"a folder is no prefix of a name", Subject{Target: "git.example.org/shop/mono", Path: "services/checkout2/main.go"}, "Example/Retail/shop/@"},
		{"a service by glob", Subject{Target: "git.example.org/shop/mono", Path: "./web/x.ts"}, "Example/Retail/shop/web@"},
		{"an application in a monorepo", Subject{Target: "git.example.org/shop/mono", Path: "warehouse/a.go"}, "Example/Retail/warehouse/@"},
		{"the path of a service holds within its application", Subject{Target: "git.example.org/other", Path: "web/x.ts"}, "//everything else/@"},
		{"an image with its tag", Subject{Target: "registry.example.org/shop/checkout", Image: "registry.example.org/shop/checkout:1.2@sha256:00"}, "Example/Retail/shop/checkout@"},
		{"another image", Subject{Image: "registry.example.org/shop/cart:1"}, "Example/Retail/shop/@"},
		{"an account", Subject{Account: "123456789012"}, "Example//platform/@"},
		{"an account and a label", Subject{Account: "123456789012", Labels: map[string]string{"env": "prod"}}, "Example//platform/@production"},
		{"a network", Subject{Host: "10.0.0.9"}, "Example//platform/@"},
		{"outside the network", Subject{Host: "10.0.1.9"}, "///@"},
		{"a namespace", Subject{Namespace: "kube-system"}, "Example//platform/@"},
		{"a label", Subject{Labels: map[string]string{"team": "blue"}}, "//labelled/@"},
		{"a label with another value", Subject{Labels: map[string]string{"team": "red"}}, "///@"},
		{"a label of any value", Subject{Labels: map[string]string{"owner": "x"}}, "//labelled/@"},
		{"the most literal characters win", Subject{Target: "git.example.org/shop/web", Labels: map[string]string{"owner": "x"}}, "Example/Retail/shop/@"},
		{"an environment by namespace", Subject{Target: "x", Namespace: "prod-eu"}, "//everything else/@production"},
		{"the more literal environment", Subject{Namespace: "prod-like", Labels: map[string]string{"env": "stage"}}, "///@staging"},
		{"an environment by ref", Subject{Target: "git.example.org/live/a", Ref: "refs/heads/main"}, "//everything else/@production"},
		{"nothing", Subject{}, "///@"},
	}
	for _, tt := range tests {
		for _, rules := range []*Rules{r, r.Narrow(tt.subject.Target, tt.subject.Ref), {
			Schema: r.Schema, Organisations: r.Organisations, Applications: r.Applications, Environments: r.Environments,
		}} {
			a := rules.Assign(tt.subject)
			got := strings.Join([]string{a.Organisation, a.BusinessUnit, a.Application, a.Service}, "/") + "@" + a.Environment
			if got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
	}
	for target, want := range map[string]string{"git.example.org/legacy/a": "develop", "x": "trunk"} {
		if got := r.RefRules(target); got.Default[0] != want {
			t.Errorf("default of %s is %v", target, got.Default)
		}
	}
	if k := PlaceKind("rel/1", r.RefRules("git.example.org/legacy/a")); k != sinew.PlaceRelease {
		t.Errorf("rel/1 is a %s", k)
	}
	units := r.Units()
	if len(units) != 5 || units[0].Application != "shop" || len(units[0].Services) != 2 || units[2].Organisation != "Example" {
		t.Errorf("units: %+v", units)
	}
}

func TestRulesDocument(t *testing.T) {
	r, err := ParseRules([]byte(exampleRules))
	if err != nil {
		t.Fatal(err)
	}
	more, added := r.WithApplication("new")
	if !added || len(r.Applications) != 2 {
		t.Fatalf("added %v to a copy; the original has %d", added, len(r.Applications))
	}
	if _, added := more.WithApplication("Shop"); added {
		t.Error("an application that is there in another case was added")
	}
	doc, err := more.Document()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseRules(doc)
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	if len(back.Units()) != 6 || back.Assign(Subject{Target: "git.example.org/shop/web"}).Application != "shop" {
		t.Errorf("read back: %+v", back.Units())
	}
	jsonDoc := "{\n\t\"schema\": \"rules/v1\",\n\t\"applications\": [\n\t\t{\"name\": \"a\", \"match\": [{\"target\": \"x\"}]}]}"
	if j, err := ParseRules([]byte(jsonDoc)); err != nil || j.Assign(Subject{Target: "x"}).Application != "a" {
		t.Errorf("JSON: %v", err)
	}
	empty := &Rules{}
	if first, _ := empty.WithApplication("a"); first.Validate() != nil {
		t.Error("the first application makes no valid document")
	}
	if got := empty.Assign(Subject{Target: "x"}); got != (Assignment{}) {
		t.Errorf("no rules assign %+v", got)
	}
}

func TestRulesErrors(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"empty", "", `schema: the rules have schema "" (write schema: rules/v1)`},
		{"another schema", "schema: rules/v9", `line 1, schema: the rules have schema "rules/v9"`},
		{"no YAML", "schema: rules/v1\n  a: [", "line 2: "},
		{"unknown field", "schema: rules/v1\napplications:\n  - name: a\n    macth: []", "line 4: the rules cannot be read: field macth is not known here"},
		{"wrong kind", "schema: rules/v1\napplications: 5", "line 2: the rules cannot be read: cannot unmarshal !!int `5` here"},
		{"no name", "schema: rules/v1\napplications:\n  - match: [{target: a}]", "line 3, applications[0]: the application has no name"},
		{"twice", "schema: rules/v1\napplications:\n  - name: a\n  - name: A", `line 4, applications[1].name: the application "A" is there twice, first at applications[0]`},
		{"twice in the tree", "schema: rules/v1\norganisations:\n  - name: o\n    applications: [{name: a}]\napplications: [{name: a}]", "applications[0].name"},
		{"slash", "schema: rules/v1\napplications:\n  - name: a/b", `the name "a/b" has a slash`},
		{"space", "schema: rules/v1\napplications:\n  - name: 'a '", "cannot be used"},
		{"empty match", "schema: rules/v1\napplications:\n  - name: a\n    match:\n      - {}", "line 5, applications[0].match[0]: the match is empty"},
		{"bad pattern", "schema: rules/v1\nenvironments:\n  - name: a\n    match:\n      - target: x\n        namespace: '[a'", `line 6, environments[0].match[0].namespace: "[a" is no pattern`},
		{"service without a target", "schema: rules/v1\napplications:\n  - name: a\n    services:\n      - name: s\n        match: [{path: x}]", "line 6, applications[0].services[0].match[0]: the match does not say of which target"},
		{"ref rule without target", "schema: rules/v1\nrefs: [{default: [a]}]", "refs[0]: the ref rule names no target"},
		{"ref rule without refs", "schema: rules/v1\nrefs: [{target: a}]", "refs[0]: the ref rule says nothing"},
		{"ref rule with a bad pattern", "schema: rules/v1\nrefs: [{target: a, release: ['{']}]", "refs[0].release[0]"},
		{"too large", strings.Repeat(" ", maxRulesBytes+1), "bytes"},
	}
	for _, tt := range tests {
		_, err := ParseRules([]byte(tt.doc))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			continue
		}
		if code := sinew.CodeOf(err); code == sinew.CodeInternal {
			t.Errorf("%s: the error has code %s", tt.name, code)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(exampleRules))
	f.Add([]byte("schema: rules/v1\na: &x [*x]"))
	f.Add([]byte(`{"schema":"rules/v1","applications":[{"name":"a","match":[{"path":"**/x"}]}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		r, err := ParseRules(doc)
		if err != nil {
			return
		}
		r.Assign(Subject{Target: "a", Path: "b/x", Host: "10.0.0.1", Labels: map[string]string{"k": "v"}})
		out, err := r.Document()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRules(out); err != nil {
			t.Fatalf("what we wrote cannot be read: %v\n%s", err, out)
		}
	})
}
