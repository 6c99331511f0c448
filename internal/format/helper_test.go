package format

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/internal/sinew"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// engineOf makes an engine of mapping texts; each is completed with id, version
// and name where it lacks them.
func engineOf(t testing.TB, mappings ...string) *Engine {
	t.Helper()
	fsys := fstest.MapFS{}
	for i, m := range mappings {
		if !strings.HasPrefix(m, "id:") {
			m = "id: t" + string(rune('a'+i)) + "\nversion: 1\nname: Test\n" + m
		}
		fsys[string(rune('a'+i))+".yaml"] = &fstest.MapFile{Data: []byte(m)}
	}
	e, err := New(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	return e
}

// parsed is what a parse gave, in a form that reads well in a golden.
type parsed struct {
	Format   string               `json:"format,omitempty"`
	Error    string               `json:"error,omitempty"`
	Code     sinew.Code           `json:"code,omitempty"`
	Snapshot *sinew.Snapshot      `json:"snapshot,omitempty"`
	Body     []sinew.SnapshotBody `json:"body,omitempty"`
}

func parseBytes(t testing.TB, e *Engine, name string, data []byte, opt Options) (parsed, *Result) {
	t.Helper()
	var p parsed
	opt.SpoolDir = t.TempDir()
	res, err := e.Parse(context.Background(), Input{Name: name, R: bytes.NewReader(data), Size: int64(len(data))}, opt, func(b sinew.SnapshotBody) error {
		p.Body = append(p.Body, b)
		return nil
	})
	if err != nil {
		p.Error, p.Code, p.Body = err.Error(), sinew.CodeOf(err), nil
		return p, nil
	}
	if res.Format != nil {
		p.Format = res.Format.ID
	}
	s := res.Snapshot
	s.FormatSHA = ""
	p.Snapshot = &s
	return p, res
}

func (p parsed) titles() []string {
	var out []string
	for _, b := range p.Body {
		if b.Observation != nil {
			out = append(out, b.Observation.Title)
		}
	}
	return out
}

// golden compares v, as indented JSON, with testdata/<name>.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if it should:\n%s", file, diff)
	}
}
