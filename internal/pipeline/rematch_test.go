package pipeline

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// TestRematch has an older matcher that recognised nothing, and today's put right
// what it did: ids redirect, decisions follow, a rebuild says the same (ING4).
func TestRematch(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		h.p.pair = func(identity.Rows[identity.Prior], identity.Rows[identity.Keys], []identity.Pair) (int, error) {
			return 0, nil
		}
		h.send(scan("main", code("A", "a.go", 1), code("B", "b.go", 2)), at(1))
		h.send(scan("main", code("A", "a.go", 9), code("B", "b.go", 2)), at(2))
		h.want("A a.go:1 fixed", "A a.go:9 open", "B b.go:2 fixed", "B b.go:2 open")
		var newer string
		for _, f := range h.rows() {
			if f.Rule == "A" && f.State == sinew.StateOpen {
				newer = sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)
			}
		}
		if _, err := h.p.Decide(t.Context(), h.r, sinew.Decision{
			Findings: []string{newer}, Verdict: sinew.VerdictFalsePositive, Reason: "test code",
		}, ""); err != nil {
			t.Fatal(err)
		}
		h.project()

		h.p.pair = identity.MatchRows
		before, _ := h.hashes()
		dry, err := h.p.Rematch(t.Context(), h.r, true, nil)
		if err != nil || dry.Families != 1 || dry.Redirected != 2 || dry.New != 0 || dry.Kept != 2 {
			t.Errorf("dry run: %+v %v", dry, err)
		}
		if after, _ := h.hashes(); after != before {
			t.Error("a dry run changed something")
		}
		done, err := h.p.Rematch(t.Context(), h.r, false, nil)
		if err != nil || done.Redirected != 2 {
			t.Errorf("rematch: %+v %v", done, err)
		}
		h.want("A a.go:9 false_positive", "B b.go:2 open")
		if again, err := h.p.Rematch(t.Context(), h.r, false, nil); err != nil || again.Families != 0 {
			t.Errorf("rematch again: %+v %v", again, err)
		}
		h.send(scan("main", code("A", "a.go", 10)), at(3))
		h.want("A a.go:10 false_positive", "B b.go:2 fixed")
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
		h.verified()
	})
}

// TestRestore builds the projection of a restored log: what the matcher said is
// in the log, so nothing is matched and nothing is logged again (TRU3).
func TestRestore(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		h.send(scan("main", code("A", "a.go", 1), code("B", "b.go", 2)), at(5))
		h.send(scan("main", code("A", "a.go", 4)), at(7))
		h.send(scan("feature", code("A", "a.go", 4), code("C", "c.go", 4)), at(6)) // late
		if _, err := h.p.Checkpoint(t.Context(), h.r); err != nil {
			t.Fatal(err)
		}
		h.project()
		_, hist := h.hashes()
		head, _, err := h.db.Head(t.Context(), h.ws.ID)
		if err != nil {
			t.Fatal(err)
		}
		var backup bytes.Buffer
		if _, err := h.db.Backup(t.Context(), &backup, nil); err != nil {
			t.Fatal(err)
		}
		o := openEmpty(t, h)
		if _, err := o.db.Restore(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		if o.ws, err = o.db.Workspace(t.Context(), h.ws.Name); err != nil {
			t.Fatal(err)
		}
		o.r.Workspace = o.ws.ID
		o.p.pair = func(identity.Rows[identity.Prior], identity.Rows[identity.Keys], []identity.Pair) (int, error) {
			t.Error("the restored log was matched again")
			return 0, nil
		}
		o.project()
		if _, got := o.hashes(); got != hist {
			t.Error("the history hash after the restore is another")
		}
		if now, _, err := o.db.Head(t.Context(), o.ws.ID); err != nil || now != head {
			t.Errorf("the log has grown from %d to %d: %v", head, now, err)
		}
	})
}

// newMapping reads the reports of the tests with a mapping that knows better: it
// words titles differently, leaves out what is no finding, and finds one more.
type newMapping struct{ fakeParser }

func (n newMapping) Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	var old bytes.Buffer
	was, err := n.fakeParser.Parse(ctx, req, &old, evidence)
	if err != nil {
		return nil, err
	}
	lines := newBodyWriter(body)
	r := &bodyReader{}
	for text := range bytes.Lines(old.Bytes()) {
		o, err := r.observation(text)
		if err != nil {
			return nil, err
		}
		if o.Rule == "NOISE" {
			continue
		}
		o.Title = "Better: " + o.Title
		if err := lines.write(sinew.SnapshotBody{Observation: o}); err != nil {
			return nil, err
		}
	}
	more := code("MORE", "more.go", 7)
	if err := lines.write(sinew.SnapshotBody{Observation: &more}); err != nil {
		return nil, err
	}
	return parsed(was.Snapshot, false, lines), nil
}

// TestRemap maps stored evidence with a newer mapping: findings keep their ids and
// decisions, what is found anew is one finding through all scans, and a rebuild
// maps nothing.
func TestRemap(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		h.send(scan("main", code("NOISE", "n.go", 1), code("A", "a.go", 1), code("B", "b.go", 2)), at(1))
		h.send(scan("main", code("A", "a.go", 3), code("NOISE", "n.go", 1)), at(2))
		h.want("A a.go:3 open", "B b.go:2 fixed", "NOISE n.go:1 open")
		ids := map[string]int64{}
		for _, f := range h.rows() {
			ids[f.Rule] = f.ID
		}
		if _, err := h.p.Decide(t.Context(), h.r, sinew.Decision{
			Findings: []string{sinew.PublicID(h.ws.UUID, sinew.IDFinding, ids["A"])}, Verdict: sinew.VerdictTriaged,
		}, ""); err != nil {
			t.Fatal(err)
		}
		h.p.opt.Parser = newMapping{}
		current := func(string) (string, string) { return "semgrep/2", "11" }
		dry, err := h.p.Remap(t.Context(), h.r, current, true, nil)
		if err != nil || dry.Families != 1 || dry.New != 1 {
			t.Errorf("dry run: %+v %v", dry, err)
		}
		h.want("A a.go:3 triaged", "B b.go:2 fixed", "NOISE n.go:1 open")
		if _, err := h.p.Remap(t.Context(), h.r, current, false, nil); err != nil {
			t.Fatal(err)
		}
		h.want("A a.go:3 triaged", "B b.go:2 fixed", "MORE more.go:7 open")
		for _, f := range h.rows() {
			if want, ok := ids[f.Rule]; ok && f.ID != want {
				t.Errorf("%s was finding %d and is %d", f.Rule, want, f.ID)
			}
			if f.Rule == "A" && f.Title != "Better: Problem A" {
				t.Errorf("the title is %q", f.Title)
			}
		}
		h.send(scan("main", code("A", "a.go", 4)), at(3))
		h.want("A a.go:4 triaged", "B b.go:2 fixed", "MORE more.go:7 open")
		h.send(scan("main", code("B", "b.go", 2)), ImportOptions{At: minute(1).Add(30e9)}) // late, after a remap
		h.want("A a.go:4 triaged", "B b.go:2 fixed", "MORE more.go:7 open")                // the decision is younger than what came late
		h.p.opt.Parser = nil
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
		h.verified()
	})
}
