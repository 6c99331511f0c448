// Package export writes findings the way other programs read them: as a table
// (CSV), as JSON, and as SARIF 2.1.0. A writer holds one finding at a time. It
// refuses to choose findings, and to know where they go.
package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Schema is the version of the JSON form.
const Schema = "export/v1"

// Formats lists the forms.
var Formats = []string{"csv", "json", "sarif"}

// Info is what an export says of itself.
type Info struct {
	Version string // of the product
	Filter  string
	Created time.Time
}

// Writer takes findings one after the other. Those of one tool must come
// together for SARIF.
type Writer interface {
	Write(*sinew.Finding) error
	// Close writes what comes after the last finding; it does not close what is
	// written to.
	Close() error
}

// ContentType gives the media type and the ending of file names of a form.
func ContentType(form string) (contentType, ending string) {
	switch form {
	case "csv":
		return "text/csv; charset=utf-8", ".csv"
	case "sarif":
		return "application/sarif+json", ".sarif"
	}
	return "application/json", ".json"
}

// New makes a writer of a form.
func New(w io.Writer, form string, info Info) (Writer, error) {
	b := bufio.NewWriterSize(w, 32<<10)
	switch form {
	case "csv":
		return newTable(b)
	case "json":
		return newDocument(b, info)
	case "sarif":
		return newSARIF(b, info)
	}
	return nil, sinew.Errorf(sinew.CodeInvalid, "findings cannot be exported as %.40q", form).Hint("use csv, json or sarif")
}

// columns of the table.
var columns = []struct {
	name  string
	value func(*sinew.Finding) string
}{
	{"id", func(f *sinew.Finding) string { return f.ID }},
	{"severity", func(f *sinew.Finding) string { return string(f.Severity) }},
	{"state", func(f *sinew.Finding) string { return string(f.State) }},
	{"class", func(f *sinew.Finding) string { return string(f.Class) }},
	{"title", func(f *sinew.Finding) string { return f.Title }},
	{"tool", func(f *sinew.Finding) string { return f.Tool }},
	{"rule", func(f *sinew.Finding) string { return f.Rule }},
	{"ids", func(f *sinew.Finding) string { return strings.Join(f.IDs, " ") }},
	{"cwe", func(f *sinew.Finding) string { return strings.Join(weaknesses(f), " ") }},
	{"file", func(f *sinew.Finding) string { return f.File }},
	{"line", func(f *sinew.Finding) string { return number(f.Line) }},
	{"package", func(f *sinew.Finding) string { return packageOf(f).Name }},
	{"version", func(f *sinew.Finding) string { return packageOf(f).Version }},
	{"purl", func(f *sinew.Finding) string { return packageOf(f).PURL }},
	{"image", func(f *sinew.Finding) string { return f.Image }},
	{"host", func(f *sinew.Finding) string { return f.Host }},
	{"resource", resource},
	{"endpoint", func(f *sinew.Finding) string { return strings.TrimSpace(endpoint(f).Method + " " + endpoint(f).URL) }},
	{"target", func(f *sinew.Finding) string { return f.Target }},
	{"application", func(f *sinew.Finding) string { return f.Application }},
	{"service", func(f *sinew.Finding) string { return f.Service }},
	{"owner", func(f *sinew.Finding) string { return f.Owner }},
	{"first_seen", func(f *sinew.Finding) string { return moment(f.FirstSeen) }},
	{"last_seen", func(f *sinew.Finding) string { return moment(f.LastSeen) }},
	{"since", func(f *sinew.Finding) string { return moment(f.Since) }},
	{"reopened", func(f *sinew.Finding) string { return number(f.Reopened) }},
}

func weaknesses(f *sinew.Finding) []string {
	out := make([]string, len(f.CWE))
	for i, n := range f.CWE {
		out[i] = "CWE-" + strconv.Itoa(n)
	}
	return out
}

func packageOf(f *sinew.Finding) sinew.Package {
	if f.Package == nil {
		return sinew.Package{}
	}
	return *f.Package
}

func endpoint(f *sinew.Finding) sinew.Endpoint {
	if f.Endpoint == nil {
		return sinew.Endpoint{}
	}
	return *f.Endpoint
}

func resource(f *sinew.Finding) string {
	if f.Resource == nil {
		return ""
	}
	return f.Resource.ID
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// table writes CSV (RFC 4180) with a line of names.
type table struct {
	w   *bufio.Writer
	csv *csv.Writer
	row []string
}

func newTable(w *bufio.Writer) (*table, error) {
	t := &table{w: w, csv: csv.NewWriter(w), row: make([]string, len(columns))}
	t.csv.UseCRLF = true
	for i, c := range columns {
		t.row[i] = c.name
	}
	return t, t.csv.Write(t.row)
}

func (t *table) Write(f *sinew.Finding) error {
	for i, c := range columns {
		t.row[i] = harmless(c.value(f))
	}
	return t.csv.Write(t.row)
}

func (t *table) Close() error {
	t.csv.Flush()
	if err := t.csv.Error(); err != nil {
		return err
	}
	return t.w.Flush()
}

// harmless keeps a spreadsheet from taking a text that a stranger wrote for a
// formula: an apostrophe in front of those that begin like one, whatever blanks
// and quotes are before it. Readers that are no spreadsheets see it.
func harmless(s string) string {
	first := strings.TrimLeft(s, " \"'\n\u00a0\ufeff")
	if first == "" {
		return s
	}
	for _, sign := range []string{"=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"} {
		if strings.HasPrefix(first, sign) {
			return "'" + s
		}
	}
	return s
}

// document writes one JSON object with the findings as the API has them.
type document struct {
	w    *bufio.Writer
	enc  *json.Encoder
	some bool
}

func newDocument(w *bufio.Writer, info Info) (*document, error) {
	d := &document{w: w, enc: json.NewEncoder(w)}
	d.enc.SetEscapeHTML(false)
	head, err := json.Marshal(struct {
		Schema  string    `json:"schema"`
		Version string    `json:"version,omitempty"`
		Filter  string    `json:"filter"`
		Created time.Time `json:"created,omitzero"`
	}{Schema, info.Version, info.Filter, info.Created})
	if err != nil {
		return nil, fmt.Errorf("write the head: %w", err)
	}
	_, err = w.Write(append(head[:len(head)-1], ",\"findings\":[\n"...))
	return d, err
}

func (d *document) Write(f *sinew.Finding) error {
	if d.some {
		if err := d.w.WriteByte(','); err != nil {
			return err
		}
	}
	d.some = true
	return d.enc.Encode(f) // with a line break
}

func (d *document) Close() error {
	if _, err := d.w.WriteString("]}\n"); err != nil {
		return err
	}
	return d.w.Flush()
}
