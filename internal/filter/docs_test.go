package filter

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens again")

// TestDocs keeps docs/filter.md equal to the fields.
func TestDocs(t *testing.T) {
	const path = "../../docs/filter.md"
	want := document()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the fields say: run go test ./internal/filter -update", path)
	}
}

// TestExamplesParse keeps what the documents show from being wrong.
func TestExamplesParse(t *testing.T) {
	for _, f := range Fields() {
		q, err := Parse(f.Example)
		if err != nil {
			t.Errorf("example of %s: %v", f.Name, err)
			continue
		}
		if q.Terms[0].Field != f.Name {
			t.Errorf("the example of %s is about %s", f.Name, q.Terms[0].Field)
		}
		if f.Doc == "" {
			t.Errorf("%s is not documented", f.Name)
		}
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`<!-- Written by go test ./internal/filter -update from the fields in field.go. -->
# Filters

One language asks for findings everywhere: ` + "`sinew findings`" + `, the parameter ` + "`filter`" + ` of the API, and the search field of the pages.

` + "```" + `
severity:critical is:open tool:trivy app:shop ref:main env:prod kev:true -owner:none
` + "```" + `

| write | to find |
|---|---|
| ` + "`severity:high tool:trivy`" + ` | what fulfils both |
| ` + "`severity:high,critical`" + ` | either |
| ` + "`-tool:trivy`" + ` | what does not fulfil it |
| ` + "`severity:>=high`, `line:>10`" + ` | comparisons: > < >= <= |
| ` + "`first:>7d`, `first:<24h`" + ` | longer ago than 7 days; within the last 24 hours. Units: h, d, w, mo (30 days), y (365 days) |
| ` + "`since:2026-01`, `since:>=2026-01-31`" + ` | in January; on that day or later. UTC |
| ` + "`file:src/*.py`" + ` | names in which * is any run of characters; upper and lower case are alike |
| ` + "`file:~util`" + ` | names that have it anywhere |
| ` + "`rule:==a*`" + ` | the very name: case counts, * is an asterisk, and ` + "`\"\"`" + ` is the empty one |
| ` + "`rule:\"a b, c\"`" + ` | spaces, commas, colons and leading signs as text; inside quotes ` + "`\\\"` and `\\\\`" + ` are a quote and a backslash |
| ` + "`owner:none`" + ` | what has none |
| ` + "`injection \"cross site\"`" + ` | words without a field: text |

| field | kind | finds | example |
|---|---|---|---|
`)
	for _, f := range Fields() {
		name := "`" + f.Name + "`"
		for _, a := range f.Aliases {
			name += ", `" + a + "`"
		}
		doc := f.Doc
		if f.None {
			doc += "; or `none`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", name, f.Kind, doc, f.Example)
	}
	for _, f := range Fields() {
		if f.Kind != KindEnum {
			continue
		}
		fmt.Fprintf(&b, "\n## Values of %s\n\n", f.Name)
		for _, v := range f.Values {
			fmt.Fprintf(&b, "* `%s`", v.Name)
			if v.Doc != "" {
				b.WriteString(": " + v.Doc)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
