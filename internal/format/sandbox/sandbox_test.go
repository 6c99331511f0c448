package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// The test binary is its own child, as the product is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Arg {
		err := Child(context.Background(), os.Stdin, os.Stdout, func(string) (*format.Engine, error) { return newEngine() })
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const mapping = `id: test
version: 1
name: Test
detect:
  json: 'type == "object" and has("results")'
  jsonl: 'has("msg")'
  xml: 'has("Report")'
  csv: '.header[0] == "Title"'
  html: 'true'
  text: '.lines[0] == "text report"'
  xlsx: 'true'
variants:
  - detect: { json: 'type == "object" and has("results")' }
    index: { rules: { path: '.rules[]', key: .id } }
    rows:
      - path: .results[]
        secret: .row.secret
        finding: 'if .row.spin then ([range(1e9)] | length) else {title: (.row.title // "none"), severity: "low", description: .row.text, secret: .row.secret, extra: {v: .row.v}} end'
    stream: '{target: .head.target}'
  - detect: { jsonl: 'type == "object" and has("msg")' }
    rows: [{ path: '.[]', finding: '{title: .row.msg, severity: "low"}' }]
  - detect: { xml: 'has("Report")' }
    rows: [{ path: /Report/Item, finding: '{title: (.row | text), severity: "low"}' }]
  - detect: { csv: '.header[0] == "Title"' }
    rows: [{ path: '.[]', finding: '{title: .row.Title, severity: "low"}' }]
  - detect: { html: '.title == "Scan"' }
    rows: [{ path: 'tr', finding: '{title: .row.text, severity: "low"}' }]
  - detect: { text: '.lines[0] == "text report"' }
    rows: [{ path: '.[]', finding: '{title: .row, severity: "low"}' }]
  - detect: { xlsx: 'true' }
    rows: [{ path: '.[][]', finding: '{title: .row.Title, severity: "low"}' }]
`

func newEngine() (*format.Engine, error) {
	text := mapping
	// The top-level detect of the sample above is only there to be overridden.
	i, j := strings.Index(text, "detect:"), strings.Index(text, "variants:")
	return format.New(fstest.MapFS{"test.yaml": {Data: []byte(text[:i] + text[j:])}})
}

type outcome struct {
	res      *Result
	err      error
	titles   []string
	count    int
	evidence bytes.Buffer
	peak     int64
	took     time.Duration
}

func parse(t *testing.T, opt Options, write func(io.Writer) error) *outcome {
	t.Helper()
	engine, err := newEngine()
	if err != nil {
		t.Fatal(err)
	}
	spool, err := format.NewSpool(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if err := write(spool); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &outcome{}
	opt.SpoolDir = t.TempDir()
	if opt.Evidence == nil {
		opt.Evidence = &o.evidence
	}
	c := &child{opt: opt.withDefaults(), name: "r", caller: context.Background()}
	begin := time.Now()
	o.res, o.err = c.run(context.Background(), exe, engine, spool, func(b sinew.SnapshotBody) error {
		o.count++
		if b.Observation != nil && len(o.titles) < 5 {
			o.titles = append(o.titles, b.Observation.Title)
		}
		return nil
	})
	o.took, o.peak = time.Since(begin), c.peak.Load()
	return o
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// repeat writes n times unit between head and foot.
func repeat(head, unit string, n int, foot string) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, head); err != nil {
			return err
		}
		chunk := strings.Repeat(unit, max(1, 1<<20/len(unit)))
		for left := n * len(unit); left > 0; left -= len(chunk) {
			if _, err := io.WriteString(w, chunk[:min(left, len(chunk))]); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, foot)
		return err
	}
}

func gzipped(f func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(f(z), z.Close())
	}
}

func zipped(name string, n int, f func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		z := zip.NewWriter(w)
		for i := range n {
			m, err := z.Create(fmt.Sprintf(name, i))
			if err != nil {
				return err
			}
			if err := f(m); err != nil {
				return err
			}
		}
		return z.Close()
	}
}

// TRU6: the child returns findings and redacted evidence, with the parent's key.
func TestRun(t *testing.T) {
	report := `{"target": "shop", "results": [{"title": "has hunter2"}, {"title": "b", "secret": "hunter2", "v": 12345678901234567890}]}`
	o := parse(t, Options{Key: []byte("key"), KeyID: "k1"}, text(report))
	if o.err != nil {
		t.Fatal(o.err)
	}
	token := format.NewRedactor([]byte("key"), "k1").Token("hunter2")
	if o.res.Snapshot.Stream.Target != "shop" || o.count != 2 || o.titles[0] != "has "+token || o.res.Format.ID != "test" || o.res.Secrets != 1 {
		t.Errorf("%+v %v", o.res, o.titles)
	}
	if want := strings.ReplaceAll(report, "hunter2", token); o.evidence.String() != want {
		t.Errorf("evidence %s, want %s", o.evidence.String(), want)
	}
	if o := parse(t, Options{}, text("[]")); o.err != nil || o.res.Format != nil || o.count != 0 {
		t.Errorf("ambiguous: %+v %v", o.res, o.err)
	}
}

// A report without secrets is its own evidence, byte for byte, whether it was known
// by the kind of report or only after the last row; a disk that is full while it is
// copied ends the parse with that error.
func TestCleanEvidence(t *testing.T) {
	for _, report := range []string{
		`{"target": "shop", "results": [{"title": "a"}, {"title": "b", "secret": ""}]}`,
		"Title,Secret\nx,\n",
	} {
		o := parse(t, Options{Key: []byte("key"), KeyID: "k1"}, text(report))
		if o.err != nil || o.count == 0 {
			t.Fatalf("%d lines, %v", o.count, o.err)
		}
		if o.evidence.String() != report || o.res.Secrets != 0 {
			t.Errorf("evidence %q of %q", o.evidence.String(), report)
		}
	}
	full := errors.New("disk full")
	o := parse(t, Options{Key: []byte("key"), Evidence: writeFunc(func([]byte) (int, error) { return 0, full })},
		repeat(`{"results": [{"title": "a"}`, `,{"title": "x"}`, 100_000, `]}`))
	if !errors.Is(o.err, full) {
		t.Errorf("got %v", o.err)
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func TestSinkError(t *testing.T) {
	engine, err := newEngine()
	if err != nil {
		t.Fatal(err)
	}
	spool, err := format.NewSpool(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if err := repeat(`{"results": [{}`, `,{"title": "x"}`, 100_000, `]}`)(spool); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if _, err := Run(context.Background(), exe, engine, "r", spool, Options{}, func(sinew.SnapshotBody) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := Run(ctx, exe, engine, "r", spool, Options{}, func(sinew.SnapshotBody) error { cancel(full); return nil }); !errors.Is(err, full) {
		t.Errorf("cancelled: %v", err)
	}
}

// TRU4: hostile files end in a clear error or an honest result, within 256 MiB
// and 20 s.
func TestHostile(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<10)
	for _, tt := range []struct {
		name  string
		write func(io.Writer) error
		want  string // in the error; empty for a result
		count int    // of findings in a result
	}{
		{"truncated", text(`{"target": "t", "results": [{"title": "a"}, {"title": "b`), "r:1: the file ends at byte 56, in the middle of a JSON value", 0},
		{"empty", text(""), "", 0},
		{"nesting in a row", repeat(`{"results": [{"v": `, "[", 200_000, ""), "nested more than 512 deep", 0},
		{"nesting closed", repeat(`{"results": [`+strings.Repeat("[", 100_000), "]", 100_000, "]}"), "nested more than 512 deep", 0},
		{"nesting of objects", repeat(`{"results": [], "x": `, `{"a":`, 200_000, ""), "nested more than 512 deep", 0},
		{"nesting at the root", repeat(``, "[", 200_000, ""), "nested more than 512 deep", 0},
		{"xml nesting", repeat("<Report><Item>", "<a>", 200_000, ""), "nested more than 512 deep", 0},
		{"html nesting", repeat("<!doctype html><title>Scan</title><table><tr>", "<div>", 200_000, "</table>"), "open at once", 0},
		{"billion laughs", text(`<!DOCTYPE Report [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><Report><Item>&b;</Item></Report>`), "declares entities", 0},
		{"external entity", text(`<!DOCTYPE Report [<!ENTITY x SYSTEM "file:///etc/passwd">]><Report><Item>&x;</Item></Report>`), "declares entities", 0},
		{"external dtd", text(`<!DOCTYPE Report SYSTEM "http://127.0.0.1:1/x.dtd"><Report><Item>&x;</Item></Report>`), "", 1},
		{"zip bomb", zipped("r%d.json", 1, repeat(`{"results": [`, " ", 1<<30, "]}")), "decompression bomb", 0},
		{"many zip members", zipped("r%d.json", 20_000, text("[]")), "more than 10000 files", 0},
		{"zip of zips", zipped("a%d.zip", 1, zipped("b%d.zip", 1, zipped("c%d.zip", 1, zipped("d%d.zip", 1, text("[]"))))), "nested more than 3 deep", 0},
		{"zip slip", zipped("../../../tmp/evil%d.json", 1, text(`{"results": [{"title": "x"}]}`)), "", 0},
		{"gzip of spaces", gzipped(repeat("", " ", 1<<30, "")), "decompression bomb", 0},
		{"gzip in gzip", gzipped(gzipped(gzipped(gzipped(text("[]"))))), "nested more than 3 deep", 0},
		{"one string of 500 MB in a row", repeat(`{"results": [{"title": "`, "x", 500<<20, `"}]}`), "is larger than 8 MiB", 0},
		{"one string of 500 MB in the head", repeat(`{"results": [], "title": "`, "x", 500<<20, `"}`), "is larger than 32 MiB", 0},
		{"one key of 100 MB", repeat(`{"`, "k", 100<<20, `": 1, "results": []}`), "larger than 64 KiB", 0},
		{"xml string of 500 MB", repeat("<Report><Item>", "x", 500<<20, "</Item></Report>"), "is larger than 8 MiB", 0},
		{"xml tag of 100 MB", repeat("<Report><Item a='", "x", 100<<20, "'/></Report>"), "larger than 4 MiB", 0},
		{"csv field of 500 MB", repeat("Title,B\n\"", "x", 500<<20, "\",b\n"), "larger than 8 MiB", 0},
		{"million csv columns", repeat("Title", ",c", 1_000_000, "\n1,2\n"), "more than 4096 columns", 0},
		{"million csv columns in a row", repeat("Title,B\n", "c,", 1_000_000, "\n"), "more than 4096 columns", 0},
		{"line of 100 MB of text", repeat("text report\n", "x", 100<<20, ""), "read whole, up to 16 MiB", 0},
		{"html of 100 MB", repeat("<!doctype html><title>Scan</title><table>", "<tr><td>x", 10<<20, ""), "up to 16 MiB", 0},
		{"html of many elements", repeat("<!doctype html><title>Scan</title>", "<p>x", 400_000, ""), "more than 300,000 elements", 0},
		{"NUL bytes", repeat(`{"results": [{"title": "a`, zeros, 1000, `b"}]}`), "", 1},
		{"only NUL bytes", repeat("", zeros, 100_000, ""), "no format recognises this file: it is text", 0},
		{"not UTF-8", text("{\"results\": [{\"title\": \"a\xff\xfeb\"}]}"), "", 1},
		{"wrong encoding declared", text("<?xml version='1.0' encoding='utf-16'?><Report><Item>x</Item></Report>"), "", 1},
		{"duplicate keys", text(`{"results": [{"title": "a"}], "results": [{"title": "b", "title": "c"}]}`), "", 1},
		{"million duplicate keys", repeat(`{"results": [], "x": {"a": 1`, `,"a": 1`, 1_000_000, "}}"), "", 0},
		{"1e999", text(`{"results": [{"v": 1e999, "title": 1e999}]}`), "", 1},
		{"number of a million digits", repeat(`{"results": [{"v": `, "9", 1_000_000, "}]}"), "", 1},
		{"head of numbers", repeat(`{"results": [], "x": [1`, ",1", 15<<20, "]}"), "too many values", 0},
		{"head of objects", repeat(`{"results": [], "x": [1`, ",{}", 10<<20, "]}"), "too many values", 0},
		{"row of objects", repeat(`{"results": [{"v": [1`, `,{}`, 2<<20, "]}]}"), "too many values", 0},
		{"100 MB of small rows", repeat(`{"results": [{}`, `,{"title": "x"}`, 7<<20/10, "]}"), "", 7<<20/10 + 1},
		{"million rules", repeat(`{"results": [{"title": "x"}], "rules": [{"id": 0}`, `,{"id": "r"}`, 1_000_000, "]}"), "", 1},
		{"program that eats memory", text(`{"results": [{"spin": true}]}`), "", -1},
		{"xlsx of a huge sheet", xlsx(repeat("<worksheet><sheetData>", "<row><c><v>1</v></c></row>", 10<<20, "</sheetData></worksheet>")), "decompression bomb", 0},
		{"xlsx of a far column", xlsx(text(`<worksheet><sheetData><row><c r="ZZZZZ1"><v>1</v></c></row></sheetData></worksheet>`)), "more than 4096 columns", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := parse(t, Options{Evidence: io.Discard, CPU: 20 * time.Second, Wall: time.Minute}, tt.write)
			msg := "a result"
			if o.err != nil {
				msg = o.err.Error()
			}
			t.Logf("%6.2f s, %4d MiB, %d findings: %s", o.took.Seconds(), o.peak>>20, o.count, msg)
			switch {
			case tt.count < 0: // either limit will do
				if sinew.CodeOf(o.err) != sinew.CodeTooLarge {
					t.Errorf("got %v", o.err)
				}
			case tt.want == "" && (o.err != nil || o.count != tt.count):
				t.Errorf("got %d findings and %v, want %d", o.count, o.err, tt.count)
			case tt.want != "" && (o.err == nil || !strings.Contains(o.err.Error(), tt.want) || sinew.CodeOf(o.err) == sinew.CodeInternal):
				t.Errorf("error %q (%s) does not tell %q", msg, sinew.CodeOf(o.err), tt.want)
			}
			if o.peak > 256<<20 && tt.count >= 0 {
				t.Errorf("the child used %d MiB", o.peak>>20)
			}
			if o.took > 40*time.Second { // 20 s of processor time; machines are shared
				t.Errorf("it took %v", o.took)
			}
		})
	}
}

func xlsx(sheet func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		z := zip.NewWriter(w)
		for name, f := range map[string]func(io.Writer) error{
			"xl/workbook.xml":          text(`<workbook><sheets><sheet name="S"/></sheets></workbook>`),
			"xl/worksheets/sheet1.xml": sheet,
		} {
			m, err := z.Create(name)
			if err != nil {
				return err
			}
			if err := f(m); err != nil {
				return err
			}
		}
		return z.Close()
	}
}

// TRU4: the limits of the process itself.
func TestLimits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux has a watchdog; elsewhere wall time is limited")
		return
	}
	spin := text(`{"results": [{"spin": true}]}`)
	long := format.Limits{RowTime: time.Hour, Outputs: 1 << 30}
	for _, tt := range []struct {
		name string
		opt  Options
		want string
	}{
		{"memory", Options{Limits: long, Memory: 96 << 20}, "r: reading the report needs more than 96 MiB of memory"},
		{"processor time", Options{Limits: long, Memory: 8 << 30, CPU: time.Second}, "r: reading the report took more than 1s of processor time"},
		{"wall time", Options{Limits: long, Memory: 8 << 30, Wall: 500 * time.Millisecond}, "r: reading the report took longer than 500ms"},
		{"row time", Options{Limits: format.Limits{RowTime: 300 * time.Millisecond}, Memory: 8 << 30}, "mapping one row took longer than 300ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := parse(t, tt.opt, spin)
			if o.err == nil || !strings.Contains(o.err.Error(), tt.want) || sinew.CodeOf(o.err) != sinew.CodeTooLarge {
				t.Errorf("got %v, want %s", o.err, tt.want)
			}
		})
	}
}
