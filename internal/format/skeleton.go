package format

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// skeletonBytes is how much of a sample a skeleton is made from.
const skeletonBytes = 4 << 20

// Skeleton drafts a mapping file from a sample report: the reader, what to
// recognise it by, where its rows probably are and which fields a row has. A
// person then says what the fields mean.
func Skeleton(_ context.Context, id string, in Input) ([]byte, error) {
	if !idPattern.MatchString(id) {
		return nil, sinew.Errorf(sinew.CodeInvalid, "%q is not an id", id).Hint("use small letters, digits and _, for example my_scanner")
	}
	head, err := io.ReadAll(io.NewSectionReader(in.R, 0, min(in.Size, skeletonBytes)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", in.Name, err)
	}
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	var d draft
	switch {
	case len(trimmed) == 0:
		return nil, invalid(in.Name, "the sample is empty").Hint("take a report with findings in it")
	case trimmed[0] == '{' || trimmed[0] == '[':
		d, err = draftJSON(trimmed)
	case trimmed[0] == '<':
		d, err = draftXML(trimmed)
	default:
		d, err = draftCSV(trimmed)
	}
	if err != nil {
		return nil, invalid(in.Name, "the sample cannot be read: %w", err).Hint("take a whole report, at most %s", size(skeletonBytes))
	}
	return d.text(id), nil
}

// draft is what was guessed.
type draft struct {
	kind   string
	detect string
	rows   string
	fields []string
}

func (d *draft) text(id string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What writes this report, and where its format is documented.\nid: %s\nversion: 1\nname: %s\n", id, id)
	fmt.Fprintf(&b, "detect: {%s: '%s'}   # narrow enough that no other format has it\n", d.kind, d.detect)
	fmt.Fprintf(&b, "stream: '{target: null}'   # what was scanned, if the report tells\n")
	fmt.Fprintf(&b, "rows:\n  - path: %s\n    finding: |\n", d.rows)
	if len(d.fields) > 0 {
		fmt.Fprintf(&b, "      # a row has: %s\n", strings.Join(d.fields, ", "))
	}
	b.WriteString("      .row\n      | {rule: null, title: null, severity: (null | severity(\"medium\"))}\n")
	return b.Bytes()
}

// draftJSON takes the first list of objects for the rows.
func draftJSON(text []byte) (draft, error) {
	d := draft{kind: kindJSON}
	dec := json.NewDecoder(bytes.NewReader(text))
	var v any
	if err := dec.Decode(&v); err != nil {
		return d, err
	}
	if dec.More() {
		d.kind = kindJSONL
	}
	if m, ok := v.(map[string]any); ok {
		keys := sortedFields(m)
		var has []string
		for _, k := range keys[:min(3, len(keys))] {
			has = append(has, fmt.Sprintf("has(%q)", k))
		}
		d.detect = strings.Join(has, " and ")
	}
	path, row := firstRows("", v)
	d.rows, d.fields = path, sortedFields(row)
	if d.kind == kindJSONL {
		m, _ := v.(map[string]any)
		d.rows, d.fields = ".[]", sortedFields(m)
	}
	if d.rows == "" {
		return d, errors.New("no list of objects is in it")
	}
	if d.detect == "" {
		var has []string
		for _, k := range d.fields[:min(3, len(d.fields))] {
			has = append(has, fmt.Sprintf("has(%q)", k))
		}
		d.detect = ".[0] | " + strings.Join(has, " and ")
	}
	return d, nil
}

// firstRows finds the path of the first list of objects, breadth first by key.
func firstRows(path string, v any) (string, map[string]any) {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return "", nil
		}
		if path == "" {
			path = "."
		}
		row, ok := v[0].(map[string]any)
		if !ok {
			return "", nil
		}
		if deeper, inner := firstRows(path+"[]", row); deeper != "" && len(inner) > len(row) {
			return deeper, inner
		}
		return path + "[]", row
	case map[string]any:
		for _, k := range sortedFields(v) {
			if list, ok := v[k].([]any); ok {
				if p, row := firstRows(path+"."+k, list); p != "" {
					return p, row
				}
			}
		}
		for _, k := range sortedFields(v) {
			if m, ok := v[k].(map[string]any); ok {
				if p, row := firstRows(path+"."+k, m); p != "" {
					return p, row
				}
			}
		}
	}
	return "", nil
}

func sortedFields(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// draftXML takes the element that is repeated most for the rows.
func draftXML(text []byte) (draft, error) {
	d := draft{kind: kindXML}
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.Strict = false
	count := map[string]int{}
	fields := map[string]map[string]bool{}
	var path []string
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) || err != nil && len(count) > 0 {
			break
		}
		if err != nil {
			return d, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			full := "/" + strings.Join(path, "/")
			count[full]++
			if fields[full] == nil {
				fields[full] = map[string]bool{}
			}
			for _, a := range t.Attr {
				fields[full]["@"+a.Name.Local] = true
			}
			if len(path) > 1 {
				fields["/"+strings.Join(path[:len(path)-1], "/")][t.Name.Local] = true
			}
		case xml.EndElement:
			path = path[:max(len(path)-1, 0)]
		}
	}
	best := ""
	for p := range count {
		if strings.Count(p, "/") == 1 {
			d.detect = fmt.Sprintf(".%s != null", p[1:])
		}
		n, m := count[p]*len(fields[p]), count[best]*len(fields[best])
		if n > m || n == m && p < best {
			best = p
		}
	}
	d.rows = best
	for f := range fields[best] {
		d.fields = append(d.fields, f)
	}
	slices.Sort(d.fields)
	return d, nil
}

func draftCSV(text []byte) (draft, error) {
	d := draft{kind: kindCSV, rows: ".[]"}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(line))
	for _, sep := range []rune{',', ';', '\t', '|'} {
		if bytes.ContainsRune(line, sep) {
			r.Comma = sep
			break
		}
	}
	r.LazyQuotes = true
	header, err := r.Read()
	if err != nil {
		return d, err
	}
	var has []string
	for i, h := range header {
		d.fields = append(d.fields, strings.TrimSpace(h))
		if i < 3 {
			has = append(has, fmt.Sprintf("%q", strings.TrimSpace(h)))
		}
	}
	d.detect = "cols(" + strings.Join(has, "; ") + ")"
	return d, nil
}
