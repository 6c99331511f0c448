package format

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/itchyny/gojq"
)

func testMachine(t testing.TB, limits Limits) *machine {
	c := newClock(context.Background(), limits.RowTime, limits.FileTime)
	t.Cleanup(c.stop)
	return newMachine(c, limits, nil)
}

// evalAll runs a program as a mapping would and writes its outputs as JSON lines.
func evalAll(m *machine, src string, input any) (string, error) {
	p := &program{what: "test", file: "f.yaml", src: source{src, 7}}
	var out []string
	err := m.run(p, input, nil, func(v any) error {
		b, err := gojq.Marshal(v)
		out = append(out, string(b))
		return err
	})
	return strings.Join(out, " "), err
}

// ING3: what mappings share.
func TestFunctions(t *testing.T) {
	m := testMachine(t, Limits{}.WithDefaults())
	for _, tt := range []struct{ src, want string }{
		{`"CRITICAL", "Very High", " moderate ", "Note", "7.0", 6.9, 0, 11, "bogus", null, "" | severity`, `"critical" "critical" "medium" "info" "high" "medium" "info" null null null null`},
		{`"bogus" | severity("low")`, `"low"`},
		{
			`"CWE-79", "cwe_089: x, CWE ID 22", 352, "79, 80", ["CWE-1", {"id": "CWE-2"}], "0", null, "no 5", "CWE-79: a CWE-79" | cwes`,
			`[79] [89,22] [352] [79,80] [1,2] [] [] [] [79]`,
		},
		{`"cve-2021-44228 and GHSA-JFH8-c2jp-5v3q, RHSA-2021:5133; CVE-2021-44228" | ids`, `["CVE-2021-44228","GHSA-jfh8-c2jp-5v3q","RHSA-2021:5133"]`},
		{`["RUSTSEC-2021-0001", "GO-2022-0001", "x-1", null] | ids`, `["RUSTSEC-2021-0001","GO-2022-0001"]`},
		{
			`purl("npm"; null; "@angular/core"; "1.0"), purl("jar"; null; "org.x:lib"; "2"), purl("python"; ""; "Flask_X"; null), purl("debian"; "Debian"; "libc++"; "1:2~3"), purl(null; null; "x"; null), purl("go"; null; "github.com/A/b"; "v1")`,
			`"pkg:npm/%40angular/core@1.0" "pkg:maven/org.x/lib@2" "pkg:pypi/flask-x" "pkg:deb/debian/libc%2B%2B@1:2~3" null "pkg:golang/github.com/A/b@v1"`,
		},
		{
			`cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), cvss("AV:N/AC:L/Au:N/C:P/I:P/A:P"), cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N").score, cvss("junk"), cvss(null; "5.5"), cvss("junk"; 3), cvss("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:N"; 2.1).score`,
			`{"score":9.8,"vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","version":"3.1"} {"score":7.5,"vector":"AV:N/AC:L/Au:N/C:P/I:P/A:P","version":"2.0"} 9.3 null {"score":5.5} {"score":3} 2.1`,
		},
		{
			`"file:///home/runner/work/shop/shop/src/a.go", "./a/./b", "C:\\src\\x.cs", "/github/workspace/x", "file:///C:/p/q", "/etc/passwd", "../up", "src/a.go", "/src/app.py", null | relpath`,
			`"src/a.go" "a/b" "src/x.cs" "x" "p/q" "etc/passwd" "../up" "src/a.go" "app.py" null`,
		},
		{
			`"<p>One <b>bold</b> &amp; <a href=\"https://x\">link</a></p><ul><li>a</li><li>b<br/>c</li></ul><pre>x  y\n z</pre>" | md`,
			`"One **bold** & [link](https://x)\n\n- a\n- b\nc\n` + "```" + `\nx  y\n z\n` + "```" + `"`,
		},
		{`"plain", "a < b and List<String>", "<script>alert(1)</script>x", "<a href='javascript:x'>y</a>" | md`, `"plain" "a < b and List<String>" "x" "y"`},
		{
			`"2024-02-03T04:05:06.5+01:00", "2024-02-03 04:05", "02-Jan-2024", 1700000000, "1700000000123", "Tue Jun 25 10:39:42 2013", "1/2/2024 3:04:05 PM", "31/12/2023", "March 3rd, 2024", "never", "", 5 | ts`,
			`"2024-02-03T03:05:06.5Z" "2024-02-03T04:05:00Z" "2024-01-02T00:00:00Z" "2023-11-14T22:13:20Z" "2023-11-14T22:13:20.123Z" "2013-06-25T10:39:42Z" "2024-01-02T15:04:05Z" "2023-12-31T00:00:00Z" "2024-03-03T00:00:00Z" null null null`,
		},
		{`null, [1], 1 | list`, `[] [1] [1]`},
		{`null, "a", 1.50, true, [1, null, "x"], {"#text": "t", "@a": "b"}, {"@a": "b"} | text`, `"" "a" "1.5" "true" "1, x" "t" ""`},
		{`" Very High! (x)" | tokey`, `"very-high-x"`},
		{`"a.b.c" | replace("."; "--")`, `"a--b--c"`},
		{`"a\r\nb\n\nc" | lines`, `["a","b","","c"]`},
		{`{"Plugin ID": "1", "x_y": "", "X-Y": "2"} | field("plugin_id"), field("xy"), field("none"; "PLUGINID")`, `"1" "2" "1"`},
		{`{"header": ["Plugin ID", "Risk"]} | cols("plugin id"; "RISK"), cols("nope")`, `true false`},
		{`"12", " 7.9 ", 3.2, "x", null, "1e3" | int`, `12 7 3 null null 1000`},
		{`[null, "", [], {}, 0, false] | map(blank)`, `[true,true,true,true,false,false]`},
		{`first_of(null, "", "x", "y"), first_of(null, ""), [("", "a", null, "b") | nonblank]`, `"x" null ["a","b"]`},
		{`{a: null, b: [{}, "", 1], c: {d: []}} | prune`, `{"b":[1]}`},
		{`"https://User@Example.org:8443/x?y", "10.0.0.1:80", "[::1]:22", "" | host_of`, `"example.org" "10.0.0.1" "::1" ""`},
		{
			`"foo bar" | test("O B"; "i"), (capture("(?<a>f.)(?<b>z)?") | tojson), [scan("o")], [scan("(.)o")], split(" *b"; null), sub("(?<x>o+)"; "<\(.x)>"), gsub("o"; "0"), [match("o"; "g").offset], gsub("";"-")`,
			`true "{\"a\":\"fo\",\"b\":null}" ["o","o"] [["f"]] ["foo","ar"] "f<oo> bar" "f00 bar" [1,2] "-f-o-o- -b-a-r-"`,
		},
		{`"aé→b" | sub("→"; "->"), gsub("[éb]"; "x")`, `"aé->b" "ax→x"`},
		{`[splits("b")]?`, ``},
		{`"<ul>" | css("li")`, `[]`},
		{`lookup("x"; "y")`, `null`},
		{`keys_of("x")`, `[]`},
	} {
		got, err := evalAll(m, tt.src, nil)
		if err != nil || got != tt.want {
			t.Errorf("%s\n got %s %v\nwant %s", tt.src, got, err, tt.want)
		}
	}
}

// Numbers keep their digits through a program.
func TestNumbers(t *testing.T) {
	m := testMachine(t, Limits{}.WithDefaults())
	d := decoder{limits: m.limits}
	v, err := d.decode([]byte(`[12345678901234567890123, 0.1000, 1e999, -5, 1E2, 123456789012345678]`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := evalAll(m, `.[0], .[1], .[3], (.[2] | tostring | length > 0), (.[3] + 1), .[5]`, v)
	if want := `12345678901234567890123 0.1000 -5 true -4 123456789012345678`; err != nil || got != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
	if _, ok := v.([]any)[2].(json.Number); !ok {
		t.Errorf("1e999 is %T", v.([]any)[2])
	}
}

// TRU4: programs cannot reach out of the report or run without end.
func TestProgramBounds(t *testing.T) {
	limits := Limits{RowTime: 200 * time.Millisecond, Outputs: 500}.WithDefaults()
	long := strings.Repeat("x", 9<<10)
	for _, tt := range []struct {
		src   string
		input any
		want  string
	}{
		{`env`, nil, "f.yaml:7: test: env is not available: a mapping must not depend on the environment"},
		{`$ENV.PATH`, nil, "is not available"},
		{`now`, nil, "the clock"},
		{`[inputs]`, nil, "other inputs"},
		{`input`, nil, "other inputs"},
		{`import "a" as a; .`, nil, "import and include"},
		{`debug`, nil, "standard error"},
		{`1 | f`, nil, "f.yaml:7: test: function not defined: f/0"},
		{"1 |\n  2 +* 3", nil, "f.yaml:8: test: unexpected token"},
		{`def f: 1 | f; f`, nil, "took longer than 200ms"},
		{`range(1e12) | empty`, nil, "took longer than 200ms"},
		{`range(200000)`, nil, "more than 500 results"},
		{`gsub("a"; "b")`, long, "too long for a pattern (at most 8 KiB)"},
		{`[scan(".")]`, long, "too long for a pattern"},
		{`test("y")`, long, ""},
		{`.a`, "text", "the mapping test cannot read this row: expected an object but got: string"},
		{`$__state | tojson`, nil, "f.yaml:7: test: "},
	} {
		m := testMachine(t, limits)
		begin := time.Now()
		_, err := evalAll(m, tt.src, tt.input)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.src, err, tt.want)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s took %v", tt.src, d)
		}
	}
}

// ING2: a mistake in a mapping file is told with file and line.
func TestMappingErrors(t *testing.T) {
	const head = "id: x\nversion: 1\nname: X\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "m.yaml: not a mapping file: the file is empty"},
		{"not yaml", "id: [", "m.yaml:1: not a mapping file"},
		{"unknown key", head + "detects: {}\n", "m.yaml:4: not a mapping file: "},
		{"no id", "version: 1\nname: X\n", "m.yaml: id"},
		{"no detect", head, "m.yaml: detect is missing"},
		{"unknown reader", head + "detect: { yaml: 'true' }\n", `m.yaml:4: unknown reader "yaml"`},
		{"syntax in detect", head + "detect:\n  json: 'has('\n", "m.yaml:5: x detect: unexpected EOF"},
		{"syntax in a block", head + "detect: { json: 'true' }\nrows:\n  - path: .a[]\n    finding: |\n      {title: 1,\n       severity }}\n", "m.yaml:9: x finding: unexpected token \"}\""},
		{"unknown function", head + "detect: { json: 'true' }\nrows:\n  - path: .a[]\n    finding: nope\n", "m.yaml:7: x finding: function not defined: nope/0"},
		{"syntax in defs", head + "detect: { json: 'f' }\ndefs: |\n  def f:\n    ;\n", "m.yaml:7: x defs: unexpected token"},
		{"unknown function in defs that nothing calls", head + "detect: { json: 'true' }\ndefs: |\n  def f: 1;\n  def g: nope;\n", "m.yaml:6: x defs: function not defined: nope/0"},
		{"forbidden function in defs that nothing calls", head + "detect: { json: 'true' }\ndefs: |\n  def g: now;\n", "m.yaml:6: x defs: now is not available"},
		{"bad path", head + "detect: { json: 'true' }\nrows:\n  - path: .a | .b\n", `m.yaml:6: path ".a | .b": only keys and [] are allowed`},
		{"bad xml path", head + "detect: { xml: 'true' }\nrows:\n  - path: .a\n", "m.yaml:6: path"},
		{"bad selector", head + "detect: { html: 'true' }\nrows:\n  - path: 'a:hover'\n", "m.yaml:6: path"},
		{"member outside zip", head + "detect: { json: 'true' }\nrows:\n  - { path: .a, member: x }\n", "member names the file inside a zip"},
		{"index without key", head + "detect: { json: 'true' }\nindex: { r: { path: .a } }\n", "m.yaml:5: index r has no key"},
		{"bad header", head + "detect: { csv: 'true' }\nheader: '('\n", "m.yaml:5: header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(fstest.MapFS{}, fstest.MapFS{"m.yaml": {Data: []byte(tt.text)}})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// ING2: a user's mapping overrides a built-in one, if it names its version.
func TestOverride(t *testing.T) {
	builtin := fstest.MapFS{"a.yaml": {Data: []byte("id: a\nversion: 3\nname: A\ndetect: { json: 'true' }\n")}}
	mine := func(extra string) fstest.MapFS {
		return fstest.MapFS{"mine.yaml": {Data: []byte("id: a\nversion: 1\nname: Mine\ndetect: { json: 'true' }\n" + extra)}}
	}
	if _, err := New(builtin, mine("")); err == nil || !strings.Contains(err.Error(), "a version 3 exists already (to override it, add the line replaces: 3)") {
		t.Errorf("no version named: %v", err)
	}
	if _, err := New(builtin, mine("replaces: 2\n")); err == nil {
		t.Error("an old version named: no error")
	}
	e, err := New(builtin, mine("replaces: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := e.Formats()[0]
	if f.Name != "Mine" || f.Ref() != "a/1" || f.Overrides != 3 || len(f.Digest) != 64 || !strings.Contains(string(f.Text()), "Mine") {
		t.Errorf("%+v", f)
	}
	if _, err := New(fstest.MapFS{"a.yaml": builtin["a.yaml"], "b.yaml": builtin["a.yaml"]}); err == nil || !strings.Contains(err.Error(), "already taken by a.yaml") {
		t.Errorf("same id twice: %v", err)
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{".", ""},
		{".[]", "[]"},
		{".a.b[]", "a b []"},
		{".a[].b[][]", "a [] b [] []"},
		{`.["a b"][]`, "a b []"},
		{`."x.y".z`, "x.y z"},
		{`.a["q"]`, "a q"},
		{"a", "!"},
		{".a..b", "!"},
		{".a[0]", "!"},
		{`.["x`, "!"},
		{".a | b", "!"},
	} {
		p, err := parsePath(tt.path, kindJSON)
		got := "!"
		if err == nil {
			var names []string
			for _, s := range p.steps {
				if s.each {
					s.name = "[]"
				}
				names = append(names, s.name)
			}
			got = strings.Join(names, " ")
		}
		if got != tt.want {
			t.Errorf("%s: %q %v, want %q", tt.path, got, err, tt.want)
		}
	}
}
