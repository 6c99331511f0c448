package pipeline

import "testing"

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
