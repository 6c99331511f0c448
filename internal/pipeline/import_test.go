package pipeline

import (
	"context"
	"io"
	"testing"
)

// countingParser counts how often it is asked.
type countingParser struct {
	fakeParser
	asked    *int
	mappings string
}

func (c countingParser) Mappings() string { return c.mappings }

func (c countingParser) Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	*c.asked++
	return c.fakeParser.Parse(ctx, req, body, evidence)
}

// TestSameBytes: an upload that was read before, by the same mappings and with the
// same options, is not read again, and is a snapshot of its own all the same.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		asked := 0
		h.p.opt.Parser = countingParser{asked: &asked, mappings: "1"}
		rep := scan("main", code("A", "src/a.go", 1))
		steps := []struct {
			name  string
			opt   ImportOptions
			maps  string
			asked int
		}{
			{"first", ImportOptions{At: minute(1), Commit: "c1", PathPrefix: "app"}, "1", 1},
			{"the same, later", ImportOptions{At: minute(2), Commit: "c2", PathPrefix: "app"}, "1", 1},
			{"another target", ImportOptions{At: minute(3), Target: "web", PathPrefix: "app"}, "1", 2},
			{"another prefix", ImportOptions{At: minute(4), Commit: "c2"}, "1", 3},
			{"other mappings", ImportOptions{At: minute(5), Commit: "c2", PathPrefix: "app"}, "2", 4},
		}
		for _, s := range steps {
			h.p.opt.Parser = countingParser{asked: &asked, mappings: s.maps}
			a := h.accept(rep, s.opt)
			if asked != s.asked {
				t.Errorf("%s: read %d times, want %d", s.name, asked, s.asked)
			}
			if a.Snapshot.Commit != s.opt.Commit || !a.Snapshot.At.Equal(s.opt.At) {
				t.Errorf("%s: %+v", s.name, a.Snapshot)
			}
			h.project()
		}
	})
}

func TestImport(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		s := snapshotOf("semgrep", "shop", "main")
		s.Coverage = covered
		res := h.send(report{s, body(code("A", "a.go", 1), code("B", "b.go", 2), code("C", "c.go", 3))}, ImportOptions{})
		if res.New != 3 {
			t.Errorf("first import: %+v", res)
		}
		h.want("A a.go:1 open", "B b.go:2 open", "C c.go:3 open")

		res = h.send(report{s, body(code("A", "a.go", 1), code("B", "b.go", 2), code("C", "c.go", 3))}, ImportOptions{})
		if !res.Same || res.Unchanged != 3 {
			t.Errorf("the same again: %+v", res)
		}

		res = h.send(report{s, body(code("A", "a.go", 11), code("D", "d.go", 4), code("C", "c.go", 3))}, ImportOptions{})
		if res.New != 1 || res.Unchanged != 1 || res.Changed != 1 || res.Fixed.Proven != 1 {
			t.Errorf("changed: %+v", res)
		}
		h.want("A a.go:11 open", "B b.go:2 fixed", "C c.go:3 open", "D d.go:4 open")

		res = h.send(report{s, body(code("B", "b.go", 2))}, ImportOptions{})
		if res.Reopened != 1 || res.Fixed.Proven != 3 {
			t.Errorf("back: %+v", res)
		}
		h.want("A a.go:11 fixed", "B b.go:2 open", "C c.go:3 fixed", "D d.go:4 fixed")
	})
}
