package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// stands writes what a person's decision has made of each finding: rule, verdict,
// reason, end and owner.
func (h *house) stands() string {
	h.Helper()
	var out []string
	for _, f := range h.rows() {
		d, err := h.db.Finding(h.Context(), h.r, sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID))
		if err != nil {
			h.Fatal(err)
		}
		said := "-"
		if s := d.Decision; s != nil {
			said = fmt.Sprintf("%s by %s because %q", s.Verdict, s.By, s.Reason)
			if !s.Until.IsZero() {
				said += " until " + s.Until.Format("15:04")
			}
		}
		if d.Finding.Owner != "" {
			said += " for " + d.Finding.Owner
		}
		out = append(out, f.Rule+" "+said)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// TestUndo: a decision is taken back where it still stands; what stood before
// comes back as it stood, with its words, and a rebuild says the same (TRU3).
func TestUndo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		h := fresh()
		a, b, c := code("A", "a.go", 1), code("B", "b.go", 2), code("C", "c.go", 3)
		h.now = minute(50)
		h.send(scan("main", a, b, c), at(10))
		ids := map[string]string{}
		for _, f := range h.rows() {
			ids[f.Rule] = sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)
		}
		n := 60
		step := func() {
			n++
			h.now = minute(n)
		}
		decide := func(rules string, d sinew.Decision) string {
			t.Helper()
			step()
			for rule := range strings.FieldsSeq(rules) {
				d.Findings = append(d.Findings, ids[rule])
			}
			got, err := h.p.Decide(t.Context(), h.r, d, "")
			if err != nil {
				t.Fatal(err)
			}
			h.project()
			return sinew.PublicID(h.ws.UUID, sinew.IDDecision, got.Seq<<28)
		}
		undo := func(id string, restored, kept int) string {
			t.Helper()
			step()
			u, err := h.p.Undo(t.Context(), h.r, id, "")
			if err != nil {
				t.Fatal(err)
			}
			if u.Restored != restored || u.Kept != kept {
				t.Errorf("restored %d, kept %d, want %d and %d", u.Restored, u.Kept, restored, kept)
			}
			h.project()
			return sinew.PublicID(h.ws.UUID, sinew.IDDecision, u.Seq<<28)
		}
		want := func(said ...string) {
			t.Helper()
			if got := h.stands(); got != strings.Join(said, "; ") {
				t.Errorf("stands\n%s\nwant\n%s", got, strings.Join(said, "; "))
			}
		}
		first := decide("A", sinew.Decision{Verdict: sinew.VerdictAccepted, Reason: "known", Until: minute(23 * 60), Owner: "team-a"})
		known := `A accepted by ann because "known" until 23:00 for team-a`
		want(known, "B -", "C -")
		bulk := decide("A B C", sinew.Decision{Verdict: sinew.VerdictFalsePositive, Reason: "test code", Owner: "team-b"})
		wrong := []string{`A false_positive by ann because "test code" for team-b`, `B false_positive by ann because "test code" for team-b`, `C false_positive by ann because "test code" for team-b`}
		want(wrong...)
		h.want("A a.go:1 false_positive", "B b.go:2 false_positive", "C c.go:3 false_positive")

		back := undo(bulk, 3, 0)
		want(known, "B -", "C -")
		h.want("A a.go:1 accepted", "B b.go:2 open", "C c.go:3 open")
		if _, err := h.p.Undo(t.Context(), h.r, bulk, ""); sinew.CodeOf(err) != sinew.CodeConflict {
			t.Errorf("undone twice: %v", err)
		}
		forth := undo(back, 3, 0)
		want(wrong...)

		// Somebody decided on C since, and the first decision is under the bulk one.
		decide("C", sinew.Decision{Verdict: sinew.VerdictTriaged})
		undo(forth, 2, 1)
		want(known, "B -", `C triaged by ann because "" for team-b`)
		undo(first, 1, 0)
		want("A -", "B -", `C triaged by ann because "" for team-b`)

		// What has run out meanwhile does not come back.
		decide("B", sinew.Decision{Verdict: sinew.VerdictAccepted, Reason: "for now", Until: minute(100)})
		over := decide("B", sinew.Decision{Verdict: sinew.VerdictReopen})
		n = 110
		undo(over, 1, 0)
		want("A -", "B -", `C triaged by ann because "" for team-b`)

		// A report that comes late folds the family again; what stands stays.
		top := decide("A", sinew.Decision{Verdict: sinew.VerdictInProgress, Owner: "team-c"})
		step()
		h.send(scan("main", a, b, c), at(5))
		want(`A in_progress by ann because "" for team-c`, "B -", `C triaged by ann because "" for team-b`)
		undo(top, 1, 0)
		want("A -", "B -", `C triaged by ann because "" for team-b`)
		step()
		h.send(scan("main", a, b, c), at(4))
		want("A -", "B -", `C triaged by ann because "" for team-b`)

		list, _, err := h.db.Decisions(t.Context(), h.r, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		byID := map[string]store.DecisionInfo{}
		for _, d := range list {
			byID[d.ID] = d
		}
		if d := byID[bulk]; d.Findings != 3 || d.Reason != "test code" || d.UndoneBy != back || d.Undoes != "" {
			t.Errorf("bulk decision %+v", d)
		}
		if d := byID[back]; d.Findings != 3 || d.Undoes != bulk || d.UndoneBy != forth || d.Verdict != "" {
			t.Errorf("undo %+v", d)
		}

		for who, try := range map[string]struct {
			r    sinew.Reader
			code sinew.Code
		}{
			"a viewer":   {sinew.Reader{Workspace: h.ws.ID, Principal: "vic", All: sinew.RoleViewer}, sinew.CodeDenied},
			"a stranger": {sinew.Reader{Workspace: h.ws.ID, Principal: "no", Units: map[int64]sinew.Role{77: sinew.RoleDeveloper}}, sinew.CodeNotFound},
		} {
			if _, err := h.p.Undo(t.Context(), try.r, bulk, ""); sinew.CodeOf(err) != try.code {
				t.Errorf("%s undoes: %v", who, err)
			}
		}
		// The same request again is one undo.
		again := decide("A", sinew.Decision{Verdict: sinew.VerdictTriaged})
		one, err := h.p.Undo(t.Context(), h.r, again, "key")
		if err != nil {
			t.Fatal(err)
		}
		h.project()
		two, err := h.p.Undo(t.Context(), h.r, again, "key")
		if err != nil || !two.Duplicate || two.Seq != one.Seq {
			t.Errorf("repeated: %+v %v, first %+v", two, err, one)
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
	})
}

// TestDecisionOfManyIsBounded: the entry of a decision on thousands names their
// births only, a few bytes each.
func TestDecisionOfManyIsBounded(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		h := fresh()
		obs := make([]sinew.Observation, 2000)
		for i := range obs {
			obs[i] = code(fmt.Sprintf("R%d", i), "a.go", i+1)
		}
		h.send(scan("main", obs...), at(10))
		targets, more, err := h.db.Targets(t.Context(), h.r, nil, len(obs))
		if err != nil || more || len(targets) != len(obs) {
			t.Fatalf("%d targets, more %t, %v", len(targets), more, err)
		}
		d := sinew.Decision{Verdict: sinew.VerdictFalsePositive, Reason: "generated code"}
		for _, f := range targets {
			d.Findings = append(d.Findings, f.ID)
		}
		a, err := h.p.Decide(t.Context(), h.r, d, "")
		if err != nil {
			t.Fatal(err)
		}
		e, err := h.db.Entry(t.Context(), h.r, a.Seq)
		if err != nil {
			t.Fatal(err)
		}
		if limit := 14 * len(obs); len(e.Payload) > limit {
			t.Errorf("the entry has %d bytes, more than %d", len(e.Payload), limit)
		}
		h.project()
		u, err := h.p.Undo(t.Context(), h.r, sinew.PublicID(h.ws.UUID, sinew.IDDecision, a.Seq<<28), "")
		if err != nil || u.Restored != len(obs) {
			t.Errorf("undo: %+v %v", u, err)
		}
		h.project()
		for _, f := range h.rows() {
			if f.State != sinew.StateOpen {
				t.Fatalf("%s is %s", f.Rule, f.State)
			}
		}
	})
}
