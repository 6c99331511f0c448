package formattest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/format/formattest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// ING1, ING2: every built-in format passes the suite.
func TestFormats(t *testing.T) {
	e, err := format.New(formats.Files)
	if err != nil {
		t.Fatal(err)
	}
	formattest.Run(t, e, filepath.Join("..", "..", "..", "formats", "testdata"), *update)
}

// The suite itself finds what it is there to find.
func TestCheck(t *testing.T) {
	const good = "id: a\nversion: 1\nname: A\ndetect: { json: 'has(\"a\")' }\nrows: [{ path: '.a[]', secret: .row.s, finding: '{title: .row.t, severity: \"low\", snippet: .row.s}' }]\n"
	const data = `{"a": [{"t": "one hunter2"}, {"t": "two", "s": "hunter2"}]}`
	for _, tt := range []struct {
		name, mapping, other, golden, want string
	}{
		{"passes", good, "", "", ""},
		{"not recognised", strings.Replace(good, `has("a")`, `has("z")`, 1), "", "", "does not recognise it"},
		{"recognised twice", good, strings.Replace(good, "id: a", "id: b", 1), "", "b recognises it too"},
		{"golden", good, "", "{}\n", "differs from"},
		{"broken mapping", strings.Replace(good, `"low"`, `"lowest"`, 1), "", "", "expected critical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := fstest.MapFS{"a.yaml": {Data: []byte(tt.mapping)}}
			if tt.other != "" {
				files["b.yaml"] = &fstest.MapFile{Data: []byte(tt.other)}
			}
			e, err := format.New(files)
			if err != nil {
				t.Fatal(err)
			}
			sample := filepath.Join(t.TempDir(), "r.json")
			if err := os.WriteFile(sample, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.golden != "" {
				if err := os.WriteFile(sample+formattest.GoldenSuffix, []byte(tt.golden), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			problems := formattest.Check(t.Context(), e, "a", sample, tt.golden == "")
			var all []string
			for _, p := range problems {
				all = append(all, p.Error())
			}
			if got := strings.Join(all, "\n"); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				b, err := os.ReadFile(sample + formattest.GoldenSuffix)
				if err != nil || strings.Contains(string(b), "hunter2") {
					t.Errorf("golden %s, %v", b, err)
				}
			}
		})
	}
	if _, err := formattest.Samples(t.TempDir()); err == nil {
		t.Error("a mapping without samples passes")
	}
}
