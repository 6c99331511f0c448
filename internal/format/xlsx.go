package format

import (
	"archive/zip"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// workbook reads a spreadsheet of Office Open XML (ECMA-376 part 1, section 18)
// with the reader for XML: the texts in memory, the rows one at a time. Only
// what reports need is understood: values, shared texts, dates. Formulas are not
// computed; their last values are read.
type workbook struct {
	p      *parse
	env    *env // limits and notes for the decoder
	sheets []sheet
	texts  []string
	dates  []bool // per cell style
}

type sheet struct {
	name string
	in   Input
}

func (p *parse) openWorkbook(z *zip.Reader) (*workbook, error) {
	x := &workbook{p: p, env: &env{limits: p.limits, notes: &p.notes, dir: p.opt.SpoolDir}}
	book, err := x.part(z, "xl/workbook.xml")
	if err != nil {
		return nil, err
	}
	targets := map[string]string{}
	if rels, err := x.part(z, "xl/_rels/workbook.xml.rels"); err == nil {
		err = x.elements(rels, "Relationship", func(e map[string]any) error {
			targets[textOf(e["@Id"])] = textOf(e["@Target"])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	total := int64(0)
	err = x.elements(book, "sheet", func(e map[string]any) error {
		target := targets[textOf(e["@id"])]
		if target == "" {
			target = "worksheets/sheet" + strconv.Itoa(len(x.sheets)+1) + ".xml"
		}
		name := path.Join("xl", target)
		if strings.HasPrefix(target, "/") {
			name = target[1:]
		}
		in, err := x.part(z, name)
		if err != nil {
			if sinew.CodeOf(err) == sinew.CodeNotFound {
				return nil // a chart sheet
			}
			return err
		}
		if total += in.Size; total > int64(p.limits.Document) {
			return tooLarge("", "the spreadsheet unpacks to more than %s", size(int64(p.limits.Document))).Hint("let the scanner write JSON or CSV")
		}
		x.sheets = append(x.sheets, sheet{name: textOf(e["@name"]), in: in})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := x.readStyles(z); err != nil {
		return nil, err
	}
	return x, x.readTexts(z)
}

// part unpacks one file of the package.
func (x *workbook) part(z *zip.Reader, name string) (Input, error) {
	f := zipFile(z, name)
	if f == nil {
		return Input{}, sinew.Errorf(sinew.CodeNotFound, "the spreadsheet has no %s", name)
	}
	r, err := openMember(f)
	if err != nil {
		return Input{}, err
	}
	defer r.Close()
	in, err := x.p.unpack(name, int64(f.CompressedSize64), r) //nolint:gosec // bounded by the file's size
	if err != nil {
		return Input{}, err
	}
	if in.Size > int64(x.p.limits.Document) {
		return Input{}, tooLarge(name, "the spreadsheet unpacks to more than %s", size(int64(x.p.limits.Document))).Hint("let the scanner write JSON or CSV")
	}
	in.R = checked{in, x.p}
	return in, nil
}

// elements gives each element of a name, decoded, wherever it is. Those inside
// are not looked at.
func (x *workbook) elements(in Input, name string, f func(map[string]any) error) error {
	d := &xmlDocument{env: x.env, in: in.R, d: &decoder{limits: x.env.limits, notes: x.env.notes}}
	d.x = &xmlScanner{w: newWindow(in.R), limit: 1 << 20}
	for {
		k, t, err := d.x.next(nil, 0)
		if err != nil {
			return err
		}
		if k == xmlEOF {
			return nil
		}
		if k == xmlEnd {
			continue
		}
		if local, _ := localName(t); string(local) != name {
			continue
		}
		v, err := d.element(k, t, 1, func() string { return "a cell" })
		if err != nil {
			return err
		}
		m, ok := v.(map[string]any)
		if !ok {
			m = map[string]any{"#text": v}
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

func (x *workbook) readTexts(z *zip.Reader) error {
	in, err := x.part(z, "xl/sharedStrings.xml")
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	used := 0
	return x.elements(in, "si", func(e map[string]any) error {
		s := richText(e)
		if used += len(s) + 16; used > x.p.limits.Document {
			return tooLarge("", "the spreadsheet's texts are larger than %s", size(int64(x.p.limits.Document))).Hint("let the scanner write JSON or CSV")
		}
		x.texts = append(x.texts, s)
		return nil
	})
}

// richText joins the runs of a text: <t>a</t> or <r><t>a</t></r><r><t>b</t></r>.
func richText(e map[string]any) string {
	if t, ok := e["t"]; ok {
		return textOf(t)
	}
	var b strings.Builder
	runs, _ := list(e["r"]).([]any)
	for _, r := range runs {
		if m, ok := r.(map[string]any); ok {
			b.WriteString(textOf(m["t"]))
		}
	}
	return b.String()
}

// readStyles learns which cell styles show dates.
func (x *workbook) readStyles(z *zip.Reader) error {
	in, err := x.part(z, "xl/styles.xml")
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	custom := map[int]bool{}
	err = x.elements(in, "numFmt", func(e map[string]any) error {
		id, _ := wholeNumber(e["@numFmtId"]).(int)
		code := strings.ToLower(textOf(e["@formatCode"]))
		custom[id] = strings.Contains(code, "yy") || strings.Contains(code, "dd") || strings.Contains(code, "h:mm")
		return nil
	})
	if err != nil {
		return err
	}
	return x.elements(in, "cellXfs", func(e map[string]any) error {
		styles, _ := list(e["xf"]).([]any)
		for _, s := range styles {
			m, _ := s.(map[string]any)
			id, _ := wholeNumber(m["@numFmtId"]).(int)
			x.dates = append(x.dates, custom[id] || 14 <= id && id <= 22)
		}
		return nil
	})
}

// rows gives the cells of each row of a sheet, by column.
func (x *workbook) rows(s sheet, f func(cells []string) error) error {
	return x.elements(s.in, "row", func(e map[string]any) error {
		var cells []string
		list, _ := list(e["c"]).([]any)
		for _, c := range list {
			m, ok := c.(map[string]any)
			if !ok {
				continue
			}
			col := len(cells)
			if ref := textOf(m["@r"]); ref != "" {
				col = column(ref)
			}
			if col < 0 || col >= x.p.limits.Columns {
				return tooLarge("", "a sheet has more than %d columns", x.p.limits.Columns).Hint("this is no scanner's table; it is refused")
			}
			for len(cells) <= col {
				cells = append(cells, "")
			}
			cells[col] = x.cell(m)
		}
		return f(cells)
	})
}

func (x *workbook) cell(m map[string]any) string {
	v := textOf(m["v"])
	switch textOf(m["@t"]) {
	case "s":
		if n, err := strconv.Atoi(v); err == nil && 0 <= n && n < len(x.texts) {
			return x.texts[n]
		}
		return ""
	case "inlineStr":
		if is, ok := m["is"].(map[string]any); ok {
			return richText(is)
		}
		return textOf(m["is"])
	case "b":
		return map[string]string{"1": "true", "0": "false"}[v]
	case "", "n":
		style, _ := wholeNumber(m["@s"]).(int)
		if style >= 0 && style < len(x.dates) && x.dates[style] {
			if f, err := strconv.ParseFloat(v, 64); err == nil && f > 0 && f < 200_000 {
				day, frac := math.Modf(f)
				t := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(day)).Add(time.Duration(math.Round(frac*86400)) * time.Second)
				return t.Format(time.RFC3339)
			}
		}
	}
	return v
}

// column is the number of a cell reference: A1 is 0, AB7 is 27.
func column(ref string) int {
	n := 0
	for _, r := range ref {
		if r < 'A' || r > 'Z' || n > 1<<20 {
			break
		}
		n = n*26 + int(r-'A') + 1
	}
	return n - 1
}

var errEnough = errors.New("enough")

// sample is what detect expressions see: {header (of the first sheet that has
// one), sheets: {name: {header, first}}}.
func (x *workbook) sample() (map[string]any, error) {
	sheets := map[string]any{}
	out := map[string]any{"sheets": sheets, "header": []any{}}
	for i, s := range x.sheets {
		if i >= 50 {
			break
		}
		var names []string
		err := x.table(s, nil, func(header []string, row map[string]any) error {
			names = header
			sheets[s.name] = map[string]any{"header": anys(header), "first": row}
			if row == nil {
				return nil
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
		if h, _ := out["header"].([]any); len(h) == 0 && len(names) > 0 {
			out["header"] = anys(names)
		}
	}
	return out, nil
}

// table gives the rows of a sheet by the names of its header: the first row that
// is not blank, or that matches. It calls f once with a nil row for the header.
func (x *workbook) table(s sheet, match func(string) bool, f func(header []string, row map[string]any) error) error {
	var header []string
	return x.rows(s, func(cells []string) error {
		blank := true
		for _, c := range cells {
			blank = blank && strings.TrimSpace(c) == ""
		}
		if blank {
			return nil
		}
		if header == nil {
			if match != nil && !match(strings.Join(cells, ",")) {
				return nil
			}
			for i, c := range cells {
				if c = strings.TrimSpace(c); c == "" {
					c = "column " + strconv.Itoa(i+1)
				}
				header = append(header, c)
			}
			return f(header, nil)
		}
		return f(header, csvRow(header, cells))
	})
}

// openXLSX makes a table of all sheets. The keys of a row are sheet and number:
// .[][] is every row of every sheet, .Findings[] those of one.
func openXLSX(e *env, p *parse, in Input, tree *pathNode) (document, error) {
	z, err := openZipReader(in)
	if err != nil {
		return nil, err
	}
	x, err := p.openWorkbook(z)
	if err != nil {
		return nil, err
	}
	sample, err := x.sample()
	if err != nil {
		return nil, err
	}
	var match func(string) bool
	if re := e.variant.header; re != nil {
		match = re.MatchString
	}
	each := func(f func(any, row, []any) error) error {
		for _, s := range x.sheets {
			i := 0
			err := x.table(s, match, func(_ []string, v map[string]any) error {
				if v == nil {
					return nil
				}
				n := i + 1
				r := row{member: e.member, end: in.Size, place: func() string { return fmt.Sprintf("sheet %s row %d", s.name, n) }}
				err := f(v, r, []any{s.name, i})
				i++
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return newTable(e, tree, sample, each)
}
