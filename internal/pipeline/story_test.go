package pipeline

import (
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// scan is a snapshot of a ref that looked everywhere.
func scan(ref string, obs ...sinew.Observation) report {
	s := snapshotOf("semgrep", "shop", ref)
	s.Coverage = covered
	return report{s, body(obs...)}
}

func at(n int) ImportOptions { return ImportOptions{At: minute(n)} }

// presences writes where a finding is, one place a line.
func (h *house) presences(rule string) string {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for _, f := range h.rows() {
		if f.Rule != rule {
			continue
		}
		ps, err := h.db.PresencesOf(h.Context(), space.ID, []int64{f.ID})
		if err != nil {
			h.Fatal(err)
		}
		places, err := h.db.PlacesOf(h.Context(), space.ID, f.Family)
		if err != nil {
			h.Fatal(err)
		}
		for _, p := range ps {
			for _, pl := range places {
				if pl.ID == p.Place {
					lines = append(lines, strings.TrimSpace(pl.Ref+pl.Environment)+" "+string(p.State))
				}
			}
		}
	}
	return strings.Join(lines, ", ")
}

// TestStories is what happens to findings in the life of a repository. Each step
// is followed by what must then be so (GRA14, ING6).
func TestStories(t *testing.T) {
	t.Parallel()
	a, b := code("A", "a.go", 1), code("B", "b.go", 2)
	prod := func(version string, n int) fact {
		return fact{deploy: &Deployment{Environment: "prod", Version: version, At: minute(n)}}
	}
	onRef := func(ref, event, into string, n int) fact {
		return fact{ref: &RefEvent{Target: "shop", Ref: ref, Event: event, Into: into, At: minute(n)}}
	}
	snap := func(r report, n int) fact { return fact{rep: &r, opt: at(n)} }
	versioned := func(r report, commit string, n int) fact {
		return fact{rep: &r, opt: ImportOptions{At: minute(n), Commit: commit}}
	}
	narrow := func(c sinew.Coverage, r report) report { r.Snapshot.Coverage = c; return r }
	type step struct {
		do   fact
		want string // states
		in   string // presences of A
	}
	stories := map[string][]step{
		"a branch has what main has": {
			{snap(scan("main", a), 1), "A a.go:1 open", "main observed"},
			{snap(scan("feature", a, b), 2), "A a.go:1 open\nB b.go:2 open", "main observed, feature observed"},
			{snap(scan("main"), 3), "A a.go:1 fixed\nB b.go:2 open", "main fixed, feature observed"},
		},
		"a pull request lives and expires with its change": {
			{snap(scan("main"), 1), "", ""},
			{snap(scan("pr:7", a), 2), "A a.go:1 open", "pr:7 observed"},
			{onRef("pr:7", RefClosed, "", 3), "A a.go:1 gone", "pr:7 gone"},
		},
		"a merge hands findings over and lowers no number": {
			{snap(scan("main"), 1), "", ""},
			{snap(scan("pr:7", a), 2), "A a.go:1 open", "pr:7 observed"},
			{onRef("pr:7", RefMerged, "main", 3), "A a.go:1 not_observed", "main not_observed, pr:7 gone"},
			{snap(scan("main", a), 4), "A a.go:1 open", "main observed, pr:7 gone"},
		},
		"a backport is the same finding": {
			{snap(scan("main", a), 1), "A a.go:1 open", "main observed"},
			{snap(scan("v1.0", a), 2), "A a.go:1 open", "main observed, v1.0 observed"},
			{snap(scan("main"), 3), "A a.go:1 open", "main fixed, v1.0 observed"},
			{snap(scan("v1.0"), 4), "A a.go:1 fixed", "main fixed, v1.0 fixed"},
		},
		"deleting a branch closes nothing": {
			{snap(scan("feature", a), 1), "A a.go:1 open", "feature observed"},
			{onRef("feature", RefDeleted, "", 2), "A a.go:1 scope_lost", "feature scope_lost"},
		},
		"fixed on main, still deployed": {
			{versioned(scan("main", a), "commit-1", 1), "A a.go:1 open", "main observed"},
			{prod("commit-1", 2), "A a.go:1 open", "main observed, prod observed"},
			{versioned(scan("main"), "commit-2", 3), "A a.go:1 open", "main fixed, prod observed"},
			{prod("commit-2", 4), "A a.go:1 fixed", "main fixed, prod fixed"},
			{prod("commit-9", 5), "A a.go:1 fixed", "main fixed, prod fixed"},
			{prod("commit-1", 6), "A a.go:1 open", "main fixed, prod observed"},
			{prod("commit-9", 7), "A a.go:1 scope_lost", "main fixed, prod scope_lost"},
		},
		"a scan of what runs arrives after the deployment": {
			{versioned(scan("main", a), "commit-1", 1), "A a.go:1 open", "main observed"},
			{prod("commit-2", 2), "A a.go:1 open", "main observed"},
			{versioned(scan("main", a), "commit-2", 3), "A a.go:1 open", "main observed, prod observed"},
		},
		"an image is superseded in its stream": {
			{versioned(scan("latest", a), "sha256:1111111", 1), "A a.go:1 open", "latest observed"},
			{prod("sha256:1111111", 2), "A a.go:1 open", "latest observed, prod observed"},
			{versioned(scan("latest", b), "sha256:2222222", 3), "A a.go:1 open\nB b.go:2 open", "latest fixed, prod observed"},
			{prod("sha256:2222222", 4), "A a.go:1 fixed\nB b.go:2 open", "latest fixed, prod fixed"},
		},
		"only a scan that looked there closes": {
			{snap(scan("main", a, b), 1), "A a.go:1 open\nB b.go:2 open", "main observed"},
			{snap(narrow(sinew.Coverage{Status: sinew.CoverageFailed}, scan("main")), 2), "A a.go:1 open\nB b.go:2 open", "main observed"},
			{snap(narrow(sinew.Coverage{}, scan("main", b)), 3), "A a.go:1 not_observed\nB b.go:2 open", "main not_observed"},
			{
				snap(narrow(sinew.Coverage{Status: sinew.CoverageComplete, Rules: all, Paths: sinew.Scope{Include: []string{"b.go"}}}, scan("main")), 4),
				"A a.go:1 not_observed\nB b.go:2 fixed", "main not_observed",
			},
			{
				snap(narrow(sinew.Coverage{Status: sinew.CoverageComplete, Rules: sinew.Scope{Include: []string{"B"}}, Paths: all}, scan("main")), 5),
				"A a.go:1 not_observed\nB b.go:2 fixed", "main not_observed",
			},
			{snap(scan("main"), 6), "A a.go:1 fixed\nB b.go:2 fixed", "main fixed"},
		},
		"an older scan arrives late": {
			{snap(scan("main", a), 10), "A a.go:1 open", "main observed"},
			{snap(scan("main", a, b), 5), "A a.go:1 open\nB b.go:2 fixed", "main observed"},
			{snap(scan("main"), 7), "A a.go:1 open\nB b.go:2 fixed", "main observed"},
		},
	}
	engines(t, func(t *testing.T, open func() *house) {
		for name, steps := range stories {
			t.Run(name, func(t *testing.T) {
				h := open()
				h.now = minute(10_000)
				for i, s := range steps {
					h.tell(s.do)
					h.project()
					if got := h.states(); got != s.want {
						t.Errorf("step %d: findings are\n%s\nwant\n%s", i+1, got, s.want)
					}
					if got := h.presences("A"); got != s.in {
						t.Errorf("step %d: A is in %q, want %q", i+1, got, s.in)
					}
				}
				r, err := h.p.Rebuild(t.Context(), h.ws.ID)
				if err != nil || !r.Equal {
					t.Errorf("rebuild: %+v %v", r, err)
				}
			})
		}
	})
}

// TestMachineEnded: findings on a machine that is no more are gone, not fixed, and
// come back when it is seen again.
func TestMachineEnded(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		on := func(host string) sinew.Observation {
			return sinew.Observation{Tool: "nessus", Rule: "P-" + host, Title: "Old TLS", Severity: sinew.SeverityMedium, Host: host}
		}
		s := snapshotOf("nessus", "dc-1", "")
		s.Coverage = covered
		h.send(report{s, body(on("web-1"), on("web-2"))}, at(1))
		h.tell(fact{end: &AssetEnd{Asset: sinew.AssetKey{Kind: sinew.KindCompute, Key: "web-1"}, At: minute(2)}})
		h.project()
		h.want("P-web-1 :0 gone", "P-web-2 :0 open")
		h.send(report{s, body(on("web-2"))}, at(3))
		h.want("P-web-1 :0 gone", "P-web-2 :0 open")
		res := h.send(report{s, body(on("web-1"), on("web-2"))}, at(4))
		h.want("P-web-1 :0 open", "P-web-2 :0 open")
		if res.Reopened != 1 {
			t.Errorf("seen again: %+v", res)
		}
	})
}

// TestDecisions is what becomes of a person's word: it stands, falls when the
// finding comes back, ends with its time, and follows the birth it was made on
// through a fold that is done again.
func TestDecisions(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		a, b := code("A", "a.go", 1), code("B", "b.go", 2)
		h.send(scan("main", a, b), at(10))
		id := func(rule string) string {
			for _, f := range h.rows() {
				if f.Rule == rule {
					return sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)
				}
			}
			t.Fatalf("no finding %s", rule)
			return ""
		}
		decide := func(d sinew.Decision) {
			t.Helper()
			if _, err := h.p.Decide(t.Context(), h.r, d, ""); err != nil {
				t.Fatal(err)
			}
			h.project()
		}
		h.now = minute(100)
		decide(sinew.Decision{Findings: []string{id("A")}, Verdict: sinew.VerdictAccepted, Reason: "known", Until: minute(200)})
		decide(sinew.Decision{Findings: []string{id("B")}, Verdict: sinew.VerdictTriaged, Owner: "team-b"})
		h.want("A a.go:1 accepted", "B b.go:2 triaged")

		h.now = minute(101)
		h.send(scan("main", a), at(101))
		h.want("A a.go:1 accepted", "B b.go:2 fixed")
		h.now = minute(102)
		h.send(scan("main", a, b), at(102))
		h.want("A a.go:1 accepted", "B b.go:2 open") // triaged falls, accepted would stay

		h.now = minute(103)
		h.send(scan("main", a, b), at(5)) // late: the family is folded again
		h.want("A a.go:1 accepted", "B b.go:2 open")

		h.now = minute(201)
		if n, err := h.p.Expire(t.Context(), h.ws.ID); err != nil || n != 1 {
			t.Errorf("expire: %d %v", n, err)
		}
		h.want("A a.go:1 open", "B b.go:2 open")

		viewer := sinew.Reader{Workspace: h.ws.ID, Principal: "vic", All: sinew.RoleViewer}
		_, err := h.p.Decide(t.Context(), viewer, sinew.Decision{Findings: []string{id("A")}, Verdict: sinew.VerdictTriaged}, "")
		if sinew.CodeOf(err) != sinew.CodeDenied {
			t.Errorf("a viewer decided: %v", err)
		}
		nobody := sinew.Reader{Workspace: h.ws.ID, Principal: "no", Units: map[int64]sinew.Role{77: sinew.RoleDeveloper}}
		_, err = h.p.Decide(t.Context(), nobody, sinew.Decision{Findings: []string{id("A")}, Verdict: sinew.VerdictTriaged}, "")
		if sinew.CodeOf(err) != sinew.CodeNotFound {
			t.Errorf("a stranger was told of a finding: %v", err)
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
	})
}

// TestUnits is findings belonging where the rules say, and moving when they do.
func TestUnits(t *testing.T) {
	t.Parallel()
	const rules = `
schema: rules/v1
applications:
  - name: shop
    match: [{target: shop}]
    services:
      - name: web
        match: [{path: "web/**"}]
  - name: pay
    match: [{target: shop, path: "pay/**"}]
`
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		units := func() string {
			space, err := h.db.LiveSpace(t.Context(), h.ws.ID)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := h.db.ProjectedUnits(t.Context(), space.ID)
			if err != nil {
				t.Fatal(err)
			}
			names := map[int64]string{0: "-"}
			for _, u := range rows {
				names[u.ID] = u.Name
			}
			var out []string
			for _, f := range h.rows() {
				out = append(out, f.Rule+" "+names[f.Unit]+"/"+f.Service)
			}
			return strings.Join(out, ", ")
		}
		rep := scan("main", code("A", "web/a.go", 1), code("B", "pay/b.go", 2), code("C", "c.go", 3))
		h.send(rep, ImportOptions{})
		if got := units(); got != "A -/, B -/, C -/" {
			t.Errorf("without rules: %s", got)
		}
		n, err := h.p.PreviewRules(t.Context(), h.r, rules)
		if err != nil || n.Moved != 3 || len(n.Samples) != 3 {
			t.Errorf("preview: %+v %v", n, err)
		}
		if _, err := h.p.SetRules(t.Context(), h.r, rules, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		if got := units(); got != "A shop/web, B pay/, C shop/" {
			t.Errorf("by the rules: %s", got)
		}
		h.send(scan("main", code("A", "web/a.go", 1), code("D", "pay/d.go", 2)), ImportOptions{})
		if got := units(); got != "A shop/web, B pay/, C shop/, D pay/" {
			t.Errorf("new ones: %s", got)
		}
		dev := sinew.Reader{Workspace: h.ws.ID, Principal: "dev", Units: map[int64]sinew.Role{}}
		_, err = h.p.Import(t.Context(), dev, Upload{Name: "r", Body: strings.NewReader("{}")}, nil)
		if sinew.CodeOf(err) != sinew.CodeDenied {
			t.Errorf("somebody without a role imported: %v", err)
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
	})
}

// TestApplicationOnImport: an administrator who names a new application makes it,
// anybody else is told that there is none.
func TestApplicationOnImport(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.send(scan("main", code("A", "a.go", 1)), ImportOptions{Application: "shop"})
		space, err := h.db.LiveSpace(t.Context(), h.ws.ID)
		if err != nil {
			t.Fatal(err)
		}
		units, err := h.db.ProjectedUnits(t.Context(), space.ID)
		if err != nil || len(units) != 1 || units[0].Name != "shop" {
			t.Fatalf("units: %+v %v", units, err)
		}
		if got := h.rows()[0].Unit; got != units[0].ID {
			t.Errorf("the finding is in unit %d, not %d", got, units[0].ID)
		}
		dev := sinew.Reader{Workspace: h.ws.ID, Principal: "dev", Units: map[int64]sinew.Role{units[0].ID: sinew.RoleDeveloper}}
		h.r = dev
		h.send(scan("main", code("A", "a.go", 2)), ImportOptions{Application: "shop"})
		h.send(scan("main", code("A", "a.go", 3)), ImportOptions{})
	})
}
