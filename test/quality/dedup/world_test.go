package dedup

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// world is a folder of worlds/: reports over the same things, and the labels that
// say which of their findings are one problem. README.md tells how to write one.
type world struct {
	Name    string            `yaml:"-"`
	About   string            `yaml:"about"`
	Target  string            `yaml:"target"` // of reports that name none here
	Reports map[string]report `yaml:"reports"`
	Same    []group           `yaml:"same"`
	// Discussed are pairs that the two passes of labelling did not agree on at first.
	Discussed []discussed `yaml:"discussed"`
}

// report is one import. What is not told is what the report says itself.
type report struct {
	File   string `yaml:"file"`   // from the world's folder
	Before string `yaml:"before"` // what the same scanner said earlier, imported first
	Format string `yaml:"format"`
	Target string `yaml:"target"`
	Label  string `yaml:"label"`
	Strip  string `yaml:"strip"`
	Prefix string `yaml:"prefix"`
}

// group is one problem: the sightings of it, and why they are one.
type group struct {
	Why string   `yaml:"why"`
	Of  []string `yaml:"of"` // selectors
	// Alike says that a report tells the problem several times and nothing tells its
	// findings apart: any one of each report with any one of another is right.
	Alike bool `yaml:"alike"`
}

type discussed struct {
	What    string `yaml:"what"`
	Outcome string `yaml:"outcome"`
}

// sighting is one observation of a report.
type sighting struct {
	report string
	o      *sinew.Observation
}

func (s *sighting) String() string {
	parts := []string{s.report, s.o.Rule}
	if s.o.File != "" {
		parts = append(parts, s.o.File+":"+strconv.Itoa(s.o.Line))
	}
	if p := s.o.Package; p != nil {
		parts = append(parts, p.Name+"@"+p.Version)
		if p.Path != s.o.File {
			parts = append(parts, p.Path)
		}
	}
	if r := s.o.Resource; r != nil {
		parts = append(parts, r.Type, r.ID, r.Name)
	}
	if e := s.o.Endpoint; e != nil {
		parts = append(parts, e.Method, e.URL, e.Param)
	}
	if s.o.Host != "" {
		parts = append(parts, s.o.Host, fmt.Sprint(s.o.Extra["port"]))
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" || s == "<nil>" })
	return strings.Join(parts, " ") + fmt.Sprintf(" %q", s.o.Title)
}

// handles are what a word of a selector may say of a sighting.
func (s *sighting) handles() map[string]bool {
	out := map[string]bool{}
	add := func(list ...string) {
		for _, v := range list {
			if v = strings.ToLower(strings.TrimSpace(v)); v != "" {
				out[v] = true
			}
		}
	}
	o := s.o
	add(o.Rule, o.Rule[strings.LastIndexByte(o.Rule, '.')+1:], o.Title, o.Symbol, o.Host, o.Image, o.ToolID)
	add(o.IDs...)
	add("sev="+string(o.Severity), "line="+strconv.Itoa(o.Line))
	file := func(f string) {
		for f != "" {
			add(f)
			if o.Line > 0 {
				add(f + ":" + strconv.Itoa(o.Line))
			}
			_, f, _ = strings.Cut(f, "/")
		}
	}
	file(o.File)
	add("file=" + o.File)
	if p := o.Package; p != nil {
		add(p.Name, p.Name+"@"+p.Version, p.PURL)
		file(p.Path)
		add("file=" + p.Path)
	}
	if r := o.Resource; r != nil {
		add(r.ID, r.Name, r.Type, r.ID[strings.LastIndexAny(r.ID, "/:")+1:])
	}
	if e := o.Endpoint; e != nil {
		add(e.Method, e.URL, "param="+e.Param)
		if u, err := url.Parse(e.URL); err == nil {
			add(u.Path, path.Base(u.Path))
		}
	}
	if port, ok := o.Extra["port"]; ok {
		add(fmt.Sprintf("port=%v", port))
	}
	for _, c := range o.CWE {
		add("cwe-" + strconv.Itoa(c))
	}
	return out
}

// matches reports whether all words are handles; one in quotes is a part of the title or description.
func (s *sighting) matches(words []string) bool {
	h := s.handles()
	for _, w := range words {
		w = strings.ToLower(w)
		if quoted, ok := strings.CutPrefix(w, `"`); ok {
			if !strings.Contains(strings.ToLower(s.o.Title+"\n"+s.o.Description), strings.TrimSuffix(quoted, `"`)) {
				return false
			}
		} else if !h[w] {
			return false
		}
	}
	return true
}

var wordsOf = regexp.MustCompile(`"[^"]*"|\S+`)

// loaded is a world with its reports read.
type loaded struct {
	world
	dir       string
	sightings []sighting
	group     []int // of each sighting; -1 alone
	stream    map[string]sinew.Stream
}

func worlds(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join("worlds", "*", "world.yaml"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no worlds: %v", err)
	}
	for i, d := range dirs {
		dirs[i] = filepath.Dir(d)
	}
	if only := os.Getenv("WORLD"); only != "" {
		return []string{filepath.Join("worlds", only)}
	}
	return dirs
}

func newEngine(t *testing.T) *format.Engine {
	t.Helper()
	engine, err := format.New(formats.Files)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// load reads a world and finds the sighting that each selector means.
func load(t *testing.T, engine *format.Engine, dir string) *loaded {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "world.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w := &loaded{dir: dir, stream: map[string]sinew.Stream{}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&w.world); err != nil {
		t.Fatalf("%s/world.yaml: %v", dir, err)
	}
	w.Name = filepath.Base(dir)
	redactor := format.NewRedactor([]byte("a key for the labelled corpus..."), "dedup") // one value, one token, in all reports
	for _, name := range slices.Sorted(maps.Keys(w.Reports)) {
		w.read(t, engine, name, redactor)
	}
	w.group = make([]int, len(w.sightings))
	for i := range w.group {
		w.group[i] = -1
	}
	for n, g := range w.Same {
		if g.Why == "" || len(g.Of) < 2 {
			t.Errorf("%s: group %d has no reason, or fewer than two sightings", dir, n+1)
		}
		for _, selector := range g.Of {
			i := w.find(t, selector)
			if i < 0 {
				continue
			}
			if w.group[i] >= 0 {
				t.Errorf("%s: %q is in two groups", dir, selector)
			}
			w.group[i] = n
		}
	}
	return w
}

func (w *loaded) read(t *testing.T, engine *format.Engine, name string, redactor format.Redactor) {
	t.Helper()
	r := w.Reports[name]
	text, err := os.ReadFile(filepath.Join(w.dir, r.File))
	if err != nil {
		t.Fatal(err)
	}
	in := format.Input{Name: filepath.Base(r.File), R: bytes.NewReader(text), Size: int64(len(text))}
	n := 0
	res, err := engine.Parse(context.Background(), in, format.Options{Format: r.Format, Redactor: redactor}, func(b sinew.SnapshotBody) error {
		if o := b.Observation; o != nil {
			o.File = r.place(o.File)
			if o.Package != nil {
				o.Package.Path = r.place(o.Package.Path)
			}
			w.sightings = append(w.sightings, sighting{name, o})
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %s: %v", w.dir, r.File, err)
	}
	if n == 0 {
		t.Errorf("%s: %s has no findings", w.dir, r.File)
	}
	key := res.Snapshot.Stream
	if target := firstOf(r.Target, w.Target); target != "" {
		key.Target = target
	}
	if r.Label != "" {
		key.Label = r.Label
	}
	key.Source = name
	w.stream[name] = key
}

// place is the file's path from the root of the repository.
func (r *report) place(file string) string {
	if file == "" {
		return ""
	}
	// A mapping may have cut the beginning of the folder already.
	for strip := strings.Trim(r.Strip, "/"); strip != ""; _, strip, _ = strings.Cut(strip, "/") {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(file, "/"), strip+"/"); ok {
			file = rest
			break
		}
	}
	if r.Prefix != "" {
		file = r.Prefix + "/" + file
	}
	return file
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// find gives the one sighting that a selector means, -1 with an error if it means
// none or several.
func (w *loaded) find(t *testing.T, selector string) int {
	t.Helper()
	words := wordsOf.FindAllString(selector, -1)
	at := -1
	for i := range w.sightings {
		if s := &w.sightings[i]; s.report == words[0] && s.matches(words[1:]) {
			if at >= 0 {
				t.Errorf("%s: %q means both\n  %s\n  %s", w.dir, selector, &w.sightings[at], s)
				return -1
			}
			at = i
		}
	}
	if at < 0 {
		t.Errorf("%s: %q means nothing", w.dir, selector)
	}
	return at
}
