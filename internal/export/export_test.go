package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

func write(t *testing.T, form string, findings ...sinew.Finding) string {
	t.Helper()
	var b bytes.Buffer
	w, err := New(&b, form, Info{Version: "1", Filter: `is:open "a b"`, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range findings {
		if err := w.Write(&findings[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHarmless: no cell begins like a formula, whatever is put before the sign,
// and what is harmless stays as it is.
func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", " =1": "' =1", "\n=1": "'\n=1",
		`"=1`: `'"=1`, "\uff1d1": "'\uff1d1", "'=1": "''=1", "a=1": "a=1", "": "", " ": " ", "src/-x.go": "src/-x.go", "1-2": "1-2",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	text := write(t, "csv", sinew.Finding{
		ID: "f1", Title: "a \"quoted\",\nbroken title", Severity: "high", IDs: []string{"CVE-1", "CVE-2"}, CWE: []int{79, 89}, File: "=a.go", Line: 7,
		Endpoint: &sinew.Endpoint{Method: "GET", URL: "https://x"}, FirstSeen: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600)),
	})
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != len(columns) {
		t.Fatalf("%q: %v", text, err)
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	for name, want := range map[string]string{
		"id": "f1", "title": "a \"quoted\",\nbroken title", "ids": "CVE-1 CVE-2", "cwe": "CWE-79 CWE-89", "file": "'=a.go", "line": "7",
		"endpoint": "GET https://x", "first_seen": "2026-01-02T02:04:05Z", "since": "", "package": "",
	} {
		if row[name] != want {
			t.Errorf("%s is %q, want %q", name, row[name], want)
		}
	}
}

// TestEmpty: what has no finding is whole all the same.
func TestEmpty(t *testing.T) {
	for _, form := range Formats {
		text := write(t, form)
		if form == "csv" {
			if strings.Count(text, "\n") != 1 {
				t.Errorf("csv: %q", text)
			}
			continue
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: %s", form, text)
		}
	}
	if _, err := New(&bytes.Buffer{}, "xls", Info{}); sinew.CodeOf(err) != sinew.CodeInvalid {
		t.Errorf("another form: %v", err)
	}
}

func TestSARIFPlaces(t *testing.T) {
	for name, tt := range map[string]struct {
		f    sinew.Finding
		uri  string
		line bool
	}{
		"file":         {sinew.Finding{File: "src/a b#1%.go", Line: 3}, "src/a%20b%231%25.go", true},
		"colon":        {sinew.Finding{File: "a:b.go"}, "./a:b.go", false},
		"endpoint":     {sinew.Finding{Endpoint: &sinew.Endpoint{URL: "https://x/a?b=c"}}, "https://x/a?b=c", false},
		"bad endpoint": {sinew.Finding{Endpoint: &sinew.Endpoint{URL: "http://[::1"}}, "http:%2F%2F", false},
		"machine":      {sinew.Finding{Host: "web-1"}, "", false},
		"nothing":      {sinew.Finding{}, "", false},
	} {
		tt.f.Title, tt.f.Tool = "x", "t"
		l := locationOf(&tt.f)
		uri, line := "", false
		if l != nil && l.Physical != nil {
			uri, line = l.Physical.Artifact.URI, l.Physical.Region != nil
		}
		if name == "bad endpoint" {
			if uri == "" || strings.Contains(uri, " ") {
				t.Errorf("%s: %q", name, uri)
			}
			continue
		}
		if uri != tt.uri || line != tt.line {
			t.Errorf("%s: %q line %t", name, uri, line)
		}
	}
	accepted := write(t, "sarif", sinew.Finding{Tool: "t", Title: "x", State: sinew.StateFalsePositive, Severity: "low"})
	if !strings.Contains(accepted, `"suppressions":[{"kind":"external","status":"accepted","justification":"false positive"}]`) {
		t.Errorf("a false positive is not suppressed: %s", accepted)
	}
}
