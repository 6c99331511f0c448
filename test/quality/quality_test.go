package quality

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
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

// corpusZIP is the corpus of ../shared/corpus/README.md.
var corpusZIP = filepath.Join("..", "..", "..", "shared", "corpus", "corpus.zip")

// expectation is a line of expected.jsonl.
type expectation struct {
	Tool      string           `json:"tool"`
	ScanType  string           `json:"scan_type"`
	File      string           `json:"file"`
	Count     int              `json:"count"`
	Ambiguous bool             `json:"ambiguous"`
	Findings  []map[string]any `json:"findings"`
}

// deviation is an entry of deviations.yaml.
type deviation struct {
	File    string         `yaml:"file"`
	Count   *int           `yaml:"count"`
	Missing map[string]int `yaml:"missing"`
	// Anyone is set for a file that could be any tool's and says nothing.
	Anyone bool   `yaml:"anyone"`
	Why    string `yaml:"why"`
}

// TestCorpus shows rows ING1 and ING2: reports of the tools that have a mapping
// are recognised without being told what they are, no finding is lost, and every
// field is found again, but for the differences that deviations.yaml gives a
// reason for. The same figures come from ../shared/corpus/score.py.
func TestCorpus(t *testing.T) {
	corpus := openCorpus(t)
	engine := newEngine(t)
	differences := readDeviations(t)
	var all figures
	used := map[string]bool{}
	for _, want := range readLines[expectation](t, corpus, "expected.jsonl") {
		if _, err := engine.Format(want.ScanType); err != nil {
			continue // a tool without a mapping
		}
		t.Run(want.File, func(t *testing.T) {
			d := differences[want.File]
			used[want.File] = true
			got, res, err := parse(engine, corpus, want.File, "")
			all.files++
			if (want.Ambiguous || d.Anyone) && err == nil && len(got) == 0 {
				all.detected++
				all.counted++
				return
			}
			if err != nil {
				t.Fatalf("not read: %v", err)
			}
			if res.Format == nil {
				t.Fatalf("the format was not recognised")
			}
			all.detected++
			count := want.Count
			if d.Count != nil {
				count = *d.Count
			}
			if len(got) == count {
				all.counted++
			} else {
				t.Errorf("%d findings, want %d", len(got), count)
			}
			for _, field := range fields {
				w := values(want.Findings, field, expectedValue)
				missing := missingValues(field, w, values(got, field, ourValue))
				if len(missing) != d.Missing[field] {
					t.Errorf("%s: %d of %d expected values are missing, want %d: %.300q", field, len(missing), len(w), d.Missing[field], missing)
				}
				all.add(field, len(w), len(missing), d.Missing[field])
			}
		})
	}
	for file := range differences {
		if !used[file] {
			t.Errorf("deviations.yaml names %s, which is not in the corpus or has no mapping: remove the entry", file)
		}
	}
	t.Log(all.String())
}

// TestRefused shows row ING1: what is not a report of the tool is refused when
// the tool is named, with an error that says where and what.
func TestRefused(t *testing.T) {
	corpus := openCorpus(t)
	engine := newEngine(t)
	for _, want := range readLines[expectation](t, corpus, "must-fail.jsonl") {
		if _, err := engine.Format(want.ScanType); err != nil {
			continue
		}
		t.Run(want.File, func(t *testing.T) {
			_, _, err := parse(engine, corpus, want.File, want.ScanType)
			var e *sinew.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an error for users", err)
			}
			if e.Code != sinew.CodeInvalid && e.Code != sinew.CodeUnsupported || e.Where == "" || e.Next == "" {
				t.Errorf("error %+v, want a place, a code and a next step", e)
			}
		})
	}
}

func openCorpus(t *testing.T) fs.FS {
	t.Helper()
	z, err := zip.OpenReader(corpusZIP)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the corpus is not here: %s is missing, so the quality of the mappings was not measured", corpusZIP)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = z.Close() })
	return z
}

func newEngine(t *testing.T) *format.Engine {
	t.Helper()
	engine, err := format.New(formats.Files)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func readDeviations(t *testing.T) map[string]deviation {
	t.Helper()
	text, err := os.ReadFile("deviations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var list []deviation
	if err := dec.Decode(&list); err != nil {
		t.Fatalf("deviations.yaml: %v", err)
	}
	out := map[string]deviation{}
	for _, d := range list {
		if _, twice := out[d.File]; twice || d.File == "" || d.Why == "" || d.Count == nil && len(d.Missing) == 0 && !d.Anyone {
			t.Errorf("deviations.yaml: the entry for %q is there twice, or lacks a file, a reason or what differs", d.File)
		}
		out[d.File] = d
	}
	return out
}

func readLines[T any](t *testing.T, fsys fs.FS, name string) []T {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func parse(engine *format.Engine, corpus fs.FS, file, id string) ([]map[string]any, *format.Result, error) {
	f, err := corpus.Open("reports/" + file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, err
	}
	var found []map[string]any
	in := format.Input{Name: filepath.Base(file), R: bytes.NewReader(text), Size: int64(len(text))}
	res, err := engine.Parse(context.Background(), in, format.Options{Format: id}, func(b sinew.SnapshotBody) error {
		if b.Observation == nil {
			return nil
		}
		line, err := json.Marshal(b.Observation)
		if err != nil {
			return err
		}
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			return err
		}
		found = append(found, m)
		return nil
	})
	return found, res, err
}

// ---- the comparison of score.py

var fields = []string{"severity", "cwe", "ids", "component", "version", "file", "line"}

func expectedValue(f map[string]any, field string) any { return f[field] }

func ourValue(f map[string]any, field string) any {
	p, _ := f["package"].(map[string]any)
	switch field {
	case "component":
		return p["name"]
	case "version":
		return p["version"]
	}
	return f[field]
}

var firstNumber = regexp.MustCompile(`\d+`)

// values lists a field's values over all findings, made comparable.
func values(found []map[string]any, field string, value func(map[string]any, string) any) []string {
	var out []string
	for _, f := range found {
		v := value(f, field)
		list, ok := v.([]any)
		if !ok && v != nil {
			list = []any{v}
		}
		for _, e := range list {
			s := strings.ToLower(strings.TrimSpace(fmt.Sprint(e)))
			if n, ok := e.(float64); ok {
				s = strconv.FormatFloat(n, 'f', -1, 64)
			}
			switch field {
			case "cwe":
				if s = strings.TrimLeft(firstNumber.FindString(s), "0"); s == "" {
					continue
				}
			case "file":
				if s == "" {
					continue
				}
				s = strings.TrimLeft(s, "./")
			case "line":
				if firstNumber.FindString(s) != s {
					continue
				}
			}
			if s != "" || field == "file" {
				out = append(out, s)
			}
		}
	}
	return out
}

// missingValues lists what is wanted and not there, in any order. Names of
// packages and files may have a part before them that one side leaves out.
func missingValues(field string, want, got []string) []string {
	left := map[string]int{}
	for _, g := range got {
		left[g]++
	}
	var missing []string
	for _, w := range want {
		if left[w] > 0 {
			left[w]--
			continue
		}
		missing = append(missing, w)
	}
	end := map[string]string{"component": "", "file": "/"}
	sep, ok := end[field]
	if !ok {
		return missing
	}
	return slices.DeleteFunc(missing, func(w string) bool {
		for _, g := range slices.Sorted(maps.Keys(left)) {
			if left[g] > 0 && (strings.HasSuffix(g, sep+w) || strings.HasSuffix(w, sep+g)) {
				left[g]--
				return true
			}
		}
		return false
	})
}

// figures are the sums that score.py prints, with the deliberate differences
// taken out.
type figures struct {
	files, detected, counted int
	want, missing            map[string]int
}

func (f *figures) add(field string, want, missing, deliberate int) {
	if f.want == nil {
		f.want, f.missing = map[string]int{}, map[string]int{}
	}
	f.want[field] += want - deliberate
	f.missing[field] += max(0, missing-deliberate)
}

func (f *figures) String() string {
	var b strings.Builder
	share := func(part, whole int) float64 { return float64(part) / float64(cmp.Or(whole, 1)) }
	fmt.Fprintf(&b, "%d reports: detected %.3f, count exact %.3f", f.files, share(f.detected, f.files), share(f.counted, f.files))
	for _, field := range fields {
		fmt.Fprintf(&b, ", %s %.3f", field, share(f.want[field]-f.missing[field], f.want[field]))
	}
	return b.String()
}
