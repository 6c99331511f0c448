package format

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/internal/sinew"
)

// parseLines is parseBytes with text in the place of values.
func parseLines(t *testing.T, e *Engine, data []byte) (text string, res *Result, err error) {
	t.Helper()
	var b strings.Builder
	opt := Options{Redactor: NewRedactor([]byte("k"), "k1"), SpoolDir: t.TempDir()}
	opt.Lines = func(line []byte) error { b.Write(line); return nil }
	res, err = e.Parse(context.Background(), Input{Name: "r", R: bytes.NewReader(data), Size: int64(len(data))}, opt, nil)
	return b.String(), res, err
}

// A report of many rows is worked on by several goroutines, first as if it told no
// secret: what comes out is what one pass after the other gives, in order, and a
// value that the last row tells is in no line before it. TRU6.
func TestLinesLikeSink(t *testing.T) {
	t.Parallel()
	e := engineOf(t, secretMappings...)
	const rows = 4000
	for _, c := range []struct {
		name string
		row  func(i int) string
	}{
		{"no secret", func(int) string { return "" }},
		{"the first row tells one", func(i int) string { return map[int]string{0: `,"value":"hunter2-first"`}[i] }},
		{"the last row tells one", func(i int) string { return map[int]string{rows - 1: `,"value":"hunter2-last"`}[i] }},
		{"short and numeric ones", func(i int) string { return map[int]string{9: `,"value":"abc"`, 2000: `,"also":[424242]`}[i] }},
		{"masked ones", func(i int) string { return map[int]string{7: `,"value":"******"`}[i] }},
		{"notes", func(i int) string {
			if i%900 == 5 {
				return `,"rule":"a","rule":"b","nul":"x\u0000y"`
			}
			return ""
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var data bytes.Buffer
			data.WriteString(`{"target":"x","leaks":[`)
			for i := range rows {
				if i > 0 {
					data.WriteByte(',')
				}
				fmt.Fprintf(&data, `{"title":"row %d","rule":"r","file":"f%d","text":"of hunter2-last and hunter2-first, abc; 424242; %s"%s}`,
					i, i, strings.Repeat("pad ", 60), c.row(i))
			}
			data.WriteString(`]}`)
			if data.Len() < smallFile {
				t.Fatalf("%d bytes are one worker's", data.Len())
			}
			p, want := parseBytes(t, e, "r", data.Bytes(), Options{Redactor: NewRedactor([]byte("k"), "k1")})
			if p.Error != "" {
				t.Fatal(p.Error)
			}
			var sink bytes.Buffer
			enc := json.NewEncoder(&sink)
			enc.SetEscapeHTML(false)
			for _, b := range p.Body {
				if err := enc.Encode(b); err != nil {
					t.Fatal(err)
				}
			}
			text, got, err := parseLines(t, e, data.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sink.String(), text); diff != "" {
				t.Errorf("the lines differ (-sink +lines):\n%.2000s", diff)
			}
			if n := strings.Count(text, "\n"); n != rows {
				t.Errorf("%d lines", n)
			}
			if diff := cmp.Diff(want.Snapshot, got.Snapshot); diff != "" {
				t.Errorf("the snapshot differs (-sink +lines):\n%s", diff)
			}
			if want.Secrets.Count() != got.Secrets.Count() {
				t.Errorf("%d secrets, by lines %d", want.Secrets.Count(), got.Secrets.Count())
			}
			for _, v := range []string{"hunter2-first", "hunter2-last"} {
				if strings.Contains(c.row(0)+c.row(rows-1), v) && strings.Contains(text, v) {
					t.Errorf("%s came out", v)
				}
			}
		})
	}
}

// Where there is no room to hold lines back, two passes do without it.
func TestLinesWithoutRoom(t *testing.T) {
	t.Parallel()
	e := engineOf(t, secretMappings...)
	var data bytes.Buffer
	data.WriteString(`{"leaks":[{"title":"first"}`)
	for data.Len() < 2*spillMemory {
		fmt.Fprintf(&data, `,{"title":"row","text":%q}`, strings.Repeat("pad ", 4000))
	}
	data.WriteString(`]}`)
	lines := 0
	opt := Options{Redactor: NewRedactor([]byte("k"), "k1"), SpoolDir: filepath.Join(t.TempDir(), "missing")}
	opt.Lines = func([]byte) error { lines++; return nil }
	clean := 0
	opt.Clean = func() error {
		if lines > 0 {
			t.Error("it is said to be clean after the first line")
		}
		clean++
		return nil
	}
	_, err := e.Parse(context.Background(), Input{Name: "r", R: bytes.NewReader(data.Bytes()), Size: int64(data.Len())}, opt, nil)
	if want := strings.Count(data.String(), `"title"`); err != nil || lines != want || clean != 1 {
		t.Errorf("%d lines of %d, clean %d times, %v", lines, want, clean, err)
	}
}

// An error names the first row that is broken, whoever met it.
func TestErrorOfFirstRow(t *testing.T) {
	t.Parallel()
	e := engineOf(t, secretMappings...)
	var data bytes.Buffer
	data.WriteString(`{"target":"x","leaks":[`)
	for i := range 5000 {
		bad := ""
		if i == 1234 || i > 1300 {
			bad = `,"x":tru`
		}
		fmt.Fprintf(&data, "{\"title\":\"row %d\",\"text\":%q%s},\n", i, strings.Repeat("pad ", 60), bad)
	}
	data.WriteString(`{"title":"last"}]}`)
	for range 5 {
		_, _, err := parseLines(t, e, data.Bytes())
		p, _ := parseBytes(t, e, "r", data.Bytes(), Options{})
		if err == nil || !strings.Contains(err.Error(), "leaks[1234]") || sinew.CodeOf(err) != sinew.CodeInvalid {
			t.Fatalf("got %v", err)
		}
		if p.Error != err.Error() {
			t.Fatalf("sink: %s\nlines: %s", p.Error, err)
		}
	}
}
