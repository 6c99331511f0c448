package format

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// ING1, ING2, ING3: one mapping for each kind of reader, and what comes out.
var readerMappings = map[string]string{
	"json": `
detect: { json: 'has("results")' }
index:
  rules: { path: '.tool.rules[]', key: .id }
skip: [.debug]
rows:
  - path: .results[].findings[]
    finding: |
      lookup("rules"; .row.rule) as $r
      | {title: $r.name, rule: .row.rule, severity: ($r.level | severity), file: .parents.results.file, line: .row.line,
         cwe: ($r.cwe | cwes), ids: (.row.text | ids), extra: {keys, n, parent: .parent.file, root: .ancestors[1].version}}
    asset: '{kind: "codelocation", key: .parent.file}'
    relation: '{kind: "contains", from: "repo:x", to: {kind: "codelocation", key: .parent.file}}'
stream: '{target: .head.target, ref: "main", tool_version: .head.version, at: .head.date, commit: .head.commit}'
coverage: '{status: "complete", rules: [.head.enabled[]], paths: "all"}'
notes: 'if .head.warning then "warned: \(.head.warning)" else empty end'
`,
	"jsonl": `
detect: { jsonl: 'has("msg")' }
rows:
  - path: .[]
    finding: '{title: .row.msg, severity: "low", extra: {keys, n}}'
  - path: .[].more[]
    finding: '{title: .row, severity: "low", extra: {keys, in: .parent.msg}}'
stream: '{target: .head.first.host}'
`,
	"xml": `
detect: { xml: 'has("Report")' }
index:
  rules: { path: /Report/Rules/Rule, key: '.["@id"]' }
rows:
  - path: /Report/Host/Item
    finding: |
      lookup("rules"; .row["@rule"]) as $r
      | {title: (.row.name | text), severity: (.row.sev | severity), host: .parent["@name"], rule: .row["@rule"],
         refs: [.row.ref | list[] | text], description: ($r | text),
         extra: {keys, os: .parent.Properties.tag, scan: .parents.Report["@scan"], own: .row.nested}}
stream: '{target: .head.Report["@scan"], tool_version: .head.Report.Version}'
`,
	"csv": `
detect: { csv: 'cols("Plugin ID"; "Risk")' }
rows:
  - path: .[]
    finding: '{title: (.row | field("name")), rule: (.row | field("plugin_id")), severity: (.row.Risk | severity), line: (.row | field("Line") | int), extra: .row}'
stream: '{target: .first.Host}'
`,
	"csv-preamble": `
detect: { csv: '.header[0] | startswith("Scan report")' }
header: '^Severity'
rows:
  - path: .[]
    finding: '{title: .row.Title, severity: (.row.Severity | severity)}'
`,
	"html": `
detect: { html: '.title == "Scan"' }
rows:
  - path: table.findings tr.row
    finding: '(.row | css("td")) as $c | {title: $c[0].text, severity: ($c[1].text | severity), refs: [.row | css("a[href]")[] | .["@href"]], extra: {class: .row["@class"]}}'
stream: '{target: .head.meta.target}'
`,
	"text": `
detect: { text: '.lines[0] | startswith("== lint")' }
rows:
  - path: .[]
    finding: '.row | capture("^(?<f>[^:]+):(?<l>[0-9]+): (?<s>[a-z]+): (?<t>.+)$") | {title: .t, file: .f, line: (.l | int), severity: (.s | severity)}'
`,
	"xlsx": `
detect: { xlsx: 'cols("Title"; "Severity")' }
rows:
  - path: .[][]
    finding: '{title: .row.Title, severity: (.row.Severity | severity), at: .row.Seen, extra: {keys}}'
`,
	"zip": `
detect: { zip: 'any(.names[]; endswith("audit.xml"))' }
index:
  verdicts: { member: "**/audit.xml", path: /Audit/Issue, key: '.["@id"]' }
rows:
  - member: "**/*.json"
    path: .issues[]
    finding: '{title: .row.title, severity: "high", status: (if lookup("verdicts"; .row.id)["@verdict"] == "no" then "false_positive" else null end), extra: {member}}'
`,
}

func readerEngine(t testing.TB) *Engine {
	var all []string
	for _, k := range []string{"json", "jsonl", "xml", "csv", "csv-preamble", "html", "text", "xlsx", "zip"} {
		all = append(all, "id: "+k+"\nversion: 1\nname: Test "+k+readerMappings[k])
	}
	return engineOf(t, all...)
}

const jsonReport = `{
  "results": [
    {"findings": [{"rule": "r1", "line": 3, "text": "see CVE-2024-0001 and cve-2024-0001"}, {"rule": "r2", "line": 1e2}], "file": "a.go"},
    {"file": "b.go", "findings": []},
    {"file": "c.go", "findings": [{"rule": "gone", "line": -4, "title": 1}, null]}
  ],
  "debug": ["huge"],
  "tool": {"rules": [{"id": "r1", "name": "One", "level": "HIGH", "cwe": "CWE-79, cwe_89"}, {"id": "r2", "name": "Two", "level": 5.5, "cwe": 22}, {"id": "gone", "name": "Three", "level": "note"}]},
  "version": "1.2", "target": "repo", "commit": "abc", "date": "2024-02-03 04:05:06", "enabled": ["r1", "r2"], "warning": "slow"
}`

const xmlReport = `<?xml version="1.0"?>
<!DOCTYPE Report [ <!ELEMENT Report ANY> ]>
<!-- a comment with <Item> -->
<x:Report xmlns:x="urn:x" scan="weekly">
  <Host name="h1">
    <Item rule="r1"><name>Bad &lt;thing&gt; &#38; more</name><sev>high</sev><ref>http://a</ref><ref>http://b</ref></Item>
    <Item rule="r2"><name><![CDATA[Raw <b> & ]]></name><sev>3.1</sev><ref x="1">http://c</ref><nested><a/><b>t</b></nested></Item>
    <Properties><tag k="os">Linux</tag></Properties>
  </Host>
  <Host name="h2"/>
  <Host name="h3"><Properties><tag>one</tag><tag>two</tag></Properties><Item rule="none"><name>Last</name><sev>info</sev></Item></Host>
  <Version>9</Version>
  <Rules><Rule id="r1">First rule</Rule><Rule id="r2">Second rule</Rule></Rules>
</x:Report>`

func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func tarOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func utf16Of(s string, order binary.AppendByteOrder, bom bool) []byte {
	var b []byte
	if bom {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func xlsxOf(t testing.TB) []byte {
	return zipOf(t,
		"[Content_Types].xml", "<Types/>",
		"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="Findings" sheetId="1" r:id="rId1"/><sheet name="Empty" sheetId="2" r:id="rId2"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>`,
		"xl/sharedStrings.xml", `<sst><si><t>Title</t></si><si><t>Severity</t></si><si><t>Seen</t></si><si><r><t>Weak </t></r><r><t>cipher</t></r></si><si><t>High</t></si></sst>`,
		"xl/styles.xml", `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"/><row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c><c r="D2" t="s"><v>2</v></c></row>`+
			`<row r="3"><c r="A3" t="s"><v>3</v></c><c r="B3" t="s"><v>4</v></c><c r="D3" s="1"><v>45000.5</v></c></row>`+
			`<row r="4"><c r="A4" t="inlineStr"><is><t>Inline</t></is></c><c r="B4"><v>3.5</v></c></row></sheetData></worksheet>`,
		"xl/worksheets/sheet2.xml", `<worksheet><sheetData/></worksheet>`,
	)
}

func TestReaders(t *testing.T) {
	e := readerEngine(t)
	member := `{"results": [{"file": "m.go", "findings": [{"rule": "r1", "line": 1}]}], "tool": {"rules": [{"id": "r1", "name": "M", "level": "low"}]}, "target": "repo", "enabled": []}`
	for name, data := range map[string][]byte{
		"json":           []byte(jsonReport),
		"json-bom":       append([]byte("\xef\xbb\xbf"), jsonReport...),
		"json-utf16le":   utf16Of(jsonReport, binary.LittleEndian, true),
		"json-utf16be":   utf16Of(jsonReport, binary.BigEndian, false),
		"json-duplicate": []byte(`{"results": [{"file": "old", "findings": [{"rule": "x", "line": 1}]}], "tool": {"rules": [{"id": "x", "id": "r", "name": "N", "name": "M", "level": "low"}]}, "results": [{"file": "a", "findings": [{"rule": "r", "line": 1, "line": 2}]}], "target": "t", "target": "u", "enabled": []}`),
		"json-dirty":     []byte("{\"results\": [{\"file\": \"a\\u0000b\xff\", \"findings\": [{\"rule\": \"r\", \"line\": 1e999, \"big\": 123456789012345678901234567890}]}], \"tool\": {\"rules\": [{\"id\": \"r\", \"name\": \"a\x00b\", \"level\": \"low\"}]}, \"enabled\": []}"),
		"jsonl":          []byte("{\"msg\": \"one\", \"host\": \"h\"}\n\n{\"msg\": \"two\", \"more\": [\"a\", \"b\"]}\r\n"),
		"jsonl-one":      []byte(`{"msg": "only"}`),
		"xml":            []byte(xmlReport),
		"xml-utf16":      utf16Of(strings.Replace(xmlReport, `version="1.0"`, `version="1.0" encoding="UTF-16"`, 1), binary.LittleEndian, true),
		"xml-latin1":     []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Report scan=\"caf\xe9\"><Host name=\"h\"><Item rule=\"r\"><name>na\xefve</name><sev>low</sev></Item></Host></Report>"),
		"csv":            []byte("sep=,\r\nPlugin ID,Risk,Name,Host,Line\r\n1,High,\"a, \"\"b\"\"\r\nc\",h1,7\r\n\r\n2,Low,plain,h2,x,extra\r\n"),
		"csv-semicolon":  []byte("\xef\xbb\xbfplugin_id;RISK;Name;Risk\n1;none;n;Medium\n"),
		"csv-tab":        []byte("Plugin ID\tRisk\tName\n1\tcritical\ttabbed\n"),
		"csv-latin1":     []byte("Plugin ID,Risk,Name\n1,Low,na\xefve\n"),
		"csv-preamble":   []byte("Scan report of shop\nmade,by,hand\n\nSeverity;Title\nhigh;one\nlow;two\n"),
		"html":           []byte(`<!doctype html><html><head><title>Scan</title><meta name="target" content="shop"></head><body><table class="findings x"><tr><th>T</th></tr><tr class="row odd"><td>SQL <b>injection</b></td><td>High</td><td><a href="https://x">x</a></td></tr><tr class="row"><td>Other</td><td>low</td></tr></table></body></html>`),
		"text":           []byte("== lint 1.0\nsrc/a.c:12: warning: strcpy is unsafe\nnoise\nsrc/b.c:3: error: gets\n"),
		"xlsx":           xlsxOf(t),
		"zip-joined":     zipOf(t, "x/audit.xml", `<Audit><Issue id="1" verdict="no"/><Issue id="2" verdict="yes"/></Audit>`, "x/issues.json", `{"issues": [{"id": 1, "title": "A"}, {"id": "2", "title": "B"}]}`),
		"zip":            zipOf(t, "README.txt", "hello", "report.json", member, "two/report.json", member, "../../etc/evil.json", member, "empty.json", "[]"),
		"gzip":           gzipOf([]byte(jsonReport)),
		"tar-gzip":       gzipOf(tarOf(t, "./report.json", member)),
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := parseBytes(t, e, name, data, Options{})
			golden(t, "readers/"+name, p)
		})
	}
}

// TRU4: a file that says nothing closes nothing.
func TestAmbiguous(t *testing.T) {
	e := readerEngine(t)
	for _, data := range []string{"", " \n\t ", "[]", " { } ", "null", "\xef\xbb\xbf[]"} {
		p, res := parseBytes(t, e, "x.json", []byte(data), Options{})
		if p.Error != "" || len(p.Body) > 0 || p.Format != "" || res.Snapshot.Coverage.Status != "" {
			t.Errorf("%q: %+v", data, p)
		}
		p, _ = parseBytes(t, e, "x.json", []byte(data), Options{Format: "json"})
		if p.Error != "" || p.Format != "json" || len(p.Body) > 0 {
			t.Errorf("%q with its format named: %+v", data, p)
		}
	}
}

// ING1: what cannot be recognised is an error that says what it looks like.
func TestDetectErrors(t *testing.T) {
	e := engineOf(t,
		"detect: { json: 'has(\"a\")' }\nrows: []",
		"detect: { json: 'has(\"a\") and has(\"b\")' }\nrows: []",
		"specificity: 5\ndetect: { json: 'has(\"a\") and has(\"c\")' }\nrows: []")
	for _, tt := range []struct{ name, data, format, want string }{
		{"none", `{"x": 1, "y": 2}`, "", "x: no format recognises this file: it is JSON with the keys x, y (sinew format list shows what is read; sinew format new begins a mapping for it)"},
		{"two", `{"a": 1, "b": 2}`, "", "x: several formats recognise this file: ta, tb (say which with --format ta)"},
		{"two, one more specific", `{"a": 1, "c": 2, "b": 3}`, "", ""},
		{"two, one named", `{"a": 1, "b": 2}`, "tb", ""},
		{"named and not it", `{"z": 1}`, "tb", "x: this is not a Test report that is known: it is JSON with the keys z (sinew format show tb tells what it expects; without --format the format is detected)"},
		{"unknown name", `{"a": 1}`, "nope", `x: there is no format "nope" (sinew format list shows the known ones)`},
		{"table", "h1,h2\n1,2\n", "", "x: no format recognises this file: it is a table with the columns h1, h2 (sinew format list shows what is read; sinew format new begins a mapping for it)"},
		{"xml", "<root><a/></root>", "", "x: no format recognises this file: it is XML with the root element root (sinew format list shows what is read; sinew format new begins a mapping for it)"},
		{"prose", "hello there", "", `x: no format recognises this file: it is text that begins "hello there" (sinew format list shows what is read; sinew format new begins a mapping for it)`},
		{"pdf", "%PDF-1.7 ...", "", "x: this is a PDF document, which is not read (unpack it, or let the scanner write JSON, XML or CSV)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := parseBytes(t, e, "x", []byte(tt.data), Options{Format: tt.format})
			if p.Error != tt.want {
				t.Errorf("error\n got %s\nwant %s", p.Error, tt.want)
			}
		})
	}
}

// TRU4: broken files name the place and what was expected.
func TestBroken(t *testing.T) {
	e := readerEngine(t)
	for _, tt := range []struct{ name, data, want string }{
		{"cut in a string", jsonReport[:180], "r:4: the file ends at byte 180, in the middle of a JSON value: expected"},
		{"cut in an array", jsonReport[:len(jsonReport)-2], "expected ',' or '}'"},
		{"cut after a comma", `{"results": [{"file": "a",`, "ends at byte"},
		{"garbage after", `{"results": [], "tool": {}} x`, "expected the end of the file"},
		{"bad literal in a row", `{"results": [{"file": "a", "findings": [{"rule": tru}]}]}`, ".results[0].findings[0]"},
		{"bad literal in the head", `{"results": [], "x": [1, tru]}`, "x"},
		{"missing colon", `{"results" []}`, "expected ':'"},
		{"brackets crossed", `{"results": [{"findings": [}]]}`, "expected"},
		{"unknown escape", `{"results": [{"findings": [{"rule": "\q"}]}]}`, `\q`},
		{"xml cut", xmlReport[:500], "the file ends at byte"},
		{"xml crossed", "<Report><Host name='a'><Item></Host></Item></Report>", "found </Item>, expected </Host>"},
		{"xml attribute", "<Report><Host name=a><Item/></Host></Report>", "has no quotes"},
		{"xml more", "<Report></Report><Report/>", "something follows the root element"},
		{"xml entity", `<!DOCTYPE Report [<!ENTITY a "b">]><Report>&a;</Report>`, "declares entities"},
		{"xml external", `<!DOCTYPE Report [<!ENTITY a SYSTEM "file:///etc/passwd">]><Report>&a;</Report>`, "declares entities"},
		{"csv cut in quotes", "Plugin ID,Risk,Name\n1,low,\"abc", "inside a quoted field"},
		{"gzip cut", string(gzipOf([]byte(jsonReport))[:200]), "cannot be unpacked"},
		{"zip cut", string(zipOf(t, "a.json", jsonReport)[:150]), "no directory"},
		{"jsonl cut", "{\"msg\": \"one\"}\n{\"msg\": \"tw", "ends at byte"},
		{"no severity", "Plugin ID,Risk,Name\n1,whatever,n\n", "expected critical, high, medium, low or info"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := parseBytes(t, e, "r", []byte(tt.data), Options{})
			if !strings.Contains(p.Error, tt.want) {
				t.Errorf("error %q does not tell %q", p.Error, tt.want)
			}
			if !strings.HasPrefix(p.Error, "r") || !strings.Contains(p.Error, "(") {
				t.Errorf("error %q lacks the file or the next step", p.Error)
			}
		})
	}
}

// A mapping may tell from the head that no row names secrets.
func TestSecretsGate(t *testing.T) {
	e := engineOf(t, `
detect: { json: 'has("r")' }
secrets: .head.scanner == "secrets"
rows: [{ path: '.r[]', secret: .row.v, finding: '{title: .row.v, severity: "low"}' }]
`)
	for scanner, want := range map[string]string{"secrets": "sinew:secret:local:1", "code": "hunter2"} {
		p, _ := parseBytes(t, e, "x", []byte(`{"r": [{"v": "hunter2"}], "scanner": "`+scanner+`"}`), Options{})
		if p.Error != "" || p.titles()[0] != want {
			t.Errorf("%s: %+v", scanner, p)
		}
	}
}

// Many workers, one order: rows come out as they stand in the file.
func TestOrder(t *testing.T) {
	e := engineOf(t, `
detect: { json: 'has("r")' }
index: { t: { path: '.t[]', key: .id } }
rows: [{ path: '.r[]', finding: '{title: "\(.n) \(lookup("t"; .row.id).name)", severity: "low"}', asset: '{kind: "commit", key: "c\(.n % 7)"}' }]
`)
	var b strings.Builder
	b.WriteString(`{"r": [`)
	const n = 20_000
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id": %d, "pad": "%s"}`, i%50, strings.Repeat("x", i%300))
	}
	b.WriteString(`], "t": [{"id": 0, "name": "n0"}`)
	for i := 1; i < 50; i++ {
		fmt.Fprintf(&b, `,{"id": %d, "name": "n%d"}`, i, i)
	}
	b.WriteString(`]}`)
	p, _ := parseBytes(t, e, "x", []byte(b.String()), Options{})
	if p.Error != "" || p.Snapshot.Observations != n || p.Snapshot.AssetCount != 7 {
		t.Fatalf("%s %+v", p.Error, p.Snapshot)
	}
	for i, title := range p.titles() {
		if want := fmt.Sprintf("%d n%d", i, i%50); title != want {
			t.Fatalf("row %d is %q, want %q", i, title, want)
		}
	}
	bad := strings.Replace(b.String(), `{"id": 7, "pad": "`+strings.Repeat("x", 157)+`"}`, `[1]`, 1)
	if p, _ := parseBytes(t, e, "x", []byte(bad), Options{}); !strings.HasPrefix(p.Error, "x:.r[157]: the mapping ta finding cannot read this row") {
		t.Errorf("got %q", p.Error)
	}
}

// Found with the corpus: a log that begins with a bracket is text, and a long
// run of letters where a value should be is an error for people.
func TestNotQuiteJSON(t *testing.T) {
	e := engineOf(t, "detect: { text: '.lines[0] | startswith(\"[ 10:00\")' }\nrows: [{ path: '.[]', finding: '{title: .row, severity: \"low\"}' }]")
	if p, _ := parseBytes(t, e, "x", []byte("[ 10:00:01 ] ok\n[ 10:00:02 ] bad\n"), Options{}); len(p.titles()) != 2 {
		t.Errorf("log: %+v", p)
	}
	p, _ := parseBytes(t, e, "x", []byte(`{"a": [`+strings.Repeat("x", 70_000)+`]}`), Options{})
	if !strings.HasPrefix(p.Error, "x:1: not valid JSON at byte") {
		t.Errorf("junk: %q", p.Error)
	}
}
