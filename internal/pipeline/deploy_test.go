package pipeline

import (
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestDeployTellsNothing has a developer of one application tell of versions that
// only a foreign one knows: the answer is that to a version that nobody knows, and
// what is foreign stays as it is (TRU1, GRA13).
func TestDeployTellsNothing(t *testing.T) {
	t.Parallel()
	const rules = `
schema: rules/v1
applications:
  - name: shop
    match: [{target: shop}]
  - name: bank
    match: [{target: bank}]
`
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		if _, err := h.p.SetRules(t.Context(), h.r, rules, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		bank := scan("main", code("B", "b.go", 2))
		bank.Snapshot.Stream.Target = "bank"
		for i, commit := range []string{"commit-bank", "commit-both"} {
			h.send(bank, ImportOptions{At: minute(1 + i), Commit: commit})
		}
		h.send(scan("main", code("A", "a.go", 1)), ImportOptions{At: minute(3), Commit: "commit-both"})
		units := map[string]int64{}
		for _, f := range h.rows() {
			units[f.Rule] = f.Unit
		}
		dev := sinew.Reader{Workspace: h.ws.ID, Principal: "dev", Units: map[int64]sinew.Role{units["A"]: sinew.RoleDeveloper}}
		deploy := func(d Deployment) error {
			d.Environment = "prod"
			_, err := h.p.Deploy(t.Context(), dev, d, "")
			h.project()
			return err
		}
		foreign, unknown := deploy(Deployment{Version: "commit-bank"}), deploy(Deployment{Version: "commit-none"})
		if sinew.CodeOf(foreign) != sinew.CodeDenied || foreign.Error() != unknown.Error() {
			t.Errorf("a foreign version: %v\nan unknown one: %v", foreign, unknown)
		}
		foreign, unknown = deploy(Deployment{Application: "shop", Version: "commit-bank"}), deploy(Deployment{Application: "shop", Version: "commit-none"})
		if foreign != nil || unknown != nil {
			t.Errorf("with the own application, a foreign version: %v, an unknown one: %v", foreign, unknown)
		}
		if got := h.presences("B"); got != "main observed" {
			t.Errorf("what is foreign is in %q", got)
		}
		if err := deploy(Deployment{Version: "commit-both"}); err != nil {
			t.Errorf("a version that both know: %v", err)
		}
		if a, b := h.presences("A"), h.presences("B"); a != "main observed, prod observed" || b != "main observed" {
			t.Errorf("the own one is in %q, the foreign one in %q", a, b)
		}
		// What comes later follows its own deployments only.
		h.send(bank, ImportOptions{At: minute(5), Commit: "commit-both"})
		h.send(scan("release", code("A", "a.go", 1)), ImportOptions{At: minute(4), Commit: "commit-both"}) // late
		if b := h.presences("B"); b != "main observed" {
			t.Errorf("later the foreign one is in %q", b)
		}
		h.r.Principal = "ann"
		if _, err := h.p.Deploy(t.Context(), h.r, Deployment{Environment: "prod", Version: "commit-both"}, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		if b := h.presences("B"); b != "main observed, prod observed" {
			t.Errorf("told by an administrator the foreign one is in %q", b)
		}
		h.rebuilt(RebuildOptions{})
		h.checkpoint()
		h.rebuilt(RebuildOptions{})
	})
}
