package format

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/sinewsec/sinew/internal/sinew"
)

// shipped are the built-in mappings.
func shipped(t testing.TB) *Engine {
	t.Helper()
	e, err := New(os.DirFS("../../formats"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A report costs the detection of its kind and its own mapping, and nothing of the
// other mappings: there are hundreds.
func TestCompiledWhenNeeded(t *testing.T) {
	t.Parallel()
	e := shipped(t)
	data, err := os.ReadFile("../../formats/testdata/gosec/version2.json")
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{SpoolDir: t.TempDir(), Lines: func([]byte) error { return nil }}
	res, err := e.Parse(t.Context(), Input{Name: "r.json", R: bytes.NewReader(data), Size: int64(len(data))}, opt, nil)
	if err != nil || res.Format.ID != "gosec" {
		t.Fatalf("%v %v", res, err)
	}
	for _, f := range e.Formats() {
		for _, v := range f.variants {
			for _, p := range v.programs() {
				switch done := p.code != nil; {
				case p == v.detect && v.kind == kindJSON && !done:
					t.Errorf("%s at line %d was not asked", p.what, p.src.line)
				case p == v.detect && v.kind != kindJSON && v.kind != kindJSONL && done,
					p != v.detect && f.ID != "gosec" && done:
					t.Errorf("%s at line %d was compiled for a JSON report of gosec", p.what, p.src.line)
				}
			}
		}
	}
}

// What is wrong in a file that is not used is found by Check, with file and line,
// and told when it is used.
func TestMistakesAreTold(t *testing.T) {
	t.Parallel()
	const broken = "id: broken\nversion: 1\nname: B\ndetect: { json: 'has(\"b\")' }\nrows:\n  - path: .b[]\n    finding: |\n      {rule: nope}\n"
	const good = "id: good\nversion: 1\nname: G\ndetect: { json: 'has(\"g\")' }\nrows:\n  - path: .g[]\n    finding: '{tool: \"g\", rule: \"r\", title: \"t\", severity: \"low\", file: \"f\"}'\n"
	files := fstest.MapFS{"broken.yaml": {Data: []byte(broken)}, "good.yaml": {Data: []byte(good)}}
	const want = "broken.yaml:8: broken finding: function not defined: nope/0"
	if _, err := New(fstest.MapFS{}, files); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("somebody's own: %v, want %s", err, want)
	}
	e, err := New(files)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := parseBytes(t, e, "r", []byte(`{"g": [1]}`), Options{}); got.Error != "" || len(got.Body) != 1 {
		t.Errorf("beside a broken one: %+v", got)
	}
	if got, _ := parseBytes(t, e, "r", []byte(`{"b": [1]}`), Options{}); !strings.Contains(got.Error, want) {
		t.Errorf("the broken one: %s, want %s", got.Error, want)
	}
	if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check: %v, want %s", err, want)
	}
}

// A definition is never missed, and what calls none costs no parsing of them.
func TestMayDefine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"", false},
		{"def f: 1;", true},
		{"def  f($x): 1;", true},
		{"def\n\tf: 1;", true},
		{"def # def g\n f: 1;", true},
		{"# a def\ndef f: 1;", true},
		{"def g: def f: 1; f;", true},
		{"def undef: 1; def f:1;", true},
		{"def g: f;", false},
		{"def f1: 1; def ff: 2; def éf: 3;", false},
		{"def g: 1; def", false},
	} {
		d := &definitions{src: source{text: tt.text, line: 1}}
		if got := d.mayDefine(map[string]bool{"f": true, "has": true}); got != tt.want {
			t.Errorf("%q: %v", tt.text, got)
		}
	}
	for _, f := range shipped(t).Formats() {
		if f.defs == nil {
			continue
		}
		list, err := f.defs.parse()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if !f.defs.mayDefine(map[string]bool{d.Name: true}) {
				t.Errorf("%s: %s is not seen", f.defs.what, d.Name)
			}
		}
	}
}

// Many parses at once, which all come first, give what one gives: mappings are read
// and programs compiled by whoever needs them.
func TestFirstUseAtOnce(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for i := range 4 {
		files[fmt.Sprintf("m%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `
id: m%[1]d
version: 1
name: M
detect: { json: 'is_mine' }
defs: |
  def is_mine: has("m%[1]d");
  def word: if . == 13 then error("thirteen") else "n\(.)" end;
  def severe: severity("low");
  def unused: word | severe;
rows:
  - path: .m%[1]d[]
    finding: '.row | {tool: "m", rule: word, title: (word | md), severity: ("High" | severe), file: "f"}'
`, i)}
	}
	e := Later(files)
	outcome := func(i int) string {
		rows := []string{"1, 2, 3", "13"}[i/4%2] // closures, or gojq for its message
		got, _ := parseBytes(t, e, "r", fmt.Appendf(nil, `{"m%d": [%s]}`, i%4, rows), Options{})
		return fmt.Sprint(got.Format, got.Error, len(got.Body))
	}
	const n = 64
	var got [n]string
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { got[i] = outcome(i) })
	}
	wg.Wait()
	for i := range n {
		if want := outcome(i); got[i] != want || strings.Contains(want, "thirteen") != (i/4%2 == 1) {
			t.Errorf("%d: got %s, then %s", i, got[i], want)
		}
	}
}

// countedFS counts how often something is opened.
type countedFS struct {
	fs.FS
	opened atomic.Int32
}

func (c *countedFS) Open(name string) (fs.File, error) {
	c.opened.Add(1)
	return c.FS.Open(name)
}

func TestReadLater(t *testing.T) {
	t.Parallel()
	files := &countedFS{FS: os.DirFS("../../formats")}
	e := Later(files)
	if n := files.opened.Load(); n != 0 {
		t.Errorf("%d files were opened before a mapping was asked for", n)
	}
	list := e.Formats()
	n := files.opened.Load()
	if len(list) < 50 || !slices.Equal(list, e.Formats()) || n != files.opened.Load() {
		t.Errorf("%d formats, %d files opened, then %d", len(list), n, files.opened.Load())
	}

	e = Later(fstest.MapFS{"m.yaml": {Data: []byte("id: [")}})
	if list := e.Formats(); len(list) != 0 {
		t.Errorf("formats of a broken file: %v", list)
	}
	in := Input{Name: "r", R: strings.NewReader(`{"a": 1}`), Size: 8}
	_, parsed := e.Parse(t.Context(), in, Options{}, func(sinew.SnapshotBody) error { return nil })
	_, recognised := e.Recognise(t.Context(), in, Options{})
	_, named := e.Format("x")
	for _, err := range []error{parsed, recognised, named, e.Check()} {
		if !errors.As(err, new(*sinew.Error)) || !strings.Contains(err.Error(), "m.yaml:1: not a mapping file") {
			t.Errorf("got %v", err)
		}
	}
}
