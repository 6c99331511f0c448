package identity

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestSipHash uses the vectors of the reference implementation: key 00..0f, message
// 00, 01, 02, ...
func TestSipHash(t *testing.T) {
	var msg [64]byte
	for i := range msg {
		msg[i] = byte(i)
	}
	for n, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462,
		15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572,
	} {
		if got := sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908, msg[:n]); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

func codeFinding(edit ...func(o *sinew.Observation)) *sinew.Observation {
	o := &sinew.Observation{
		Tool: "semgrep", Rule: "go.sql.injection", Title: "SQL injection", Severity: sinew.SeverityHigh,
		File: "internal/store/user.go", Line: 42, EndLine: 44, Symbol: "store.User",
		Snippet: "rows, err := db.Query(\"select * from t where id=\" + id)",
	}
	for _, e := range edit {
		e(o)
	}
	return o
}

// agreement names the passes in which two observations agree.
func agreement(a, b *sinew.Observation) string {
	x, y := KeysOf(a), KeysOf(b)
	s := ""
	for n, letter := range "TCPMN" {
		if x.level(n) != 0 && x.level(n) == y.level(n) {
			s += string(letter)
		}
	}
	return s
}

// ING4: what changes between runs of a tool without changing the problem.
func TestKeysSurvive(t *testing.T) {
	dep := func(edit ...func(o *sinew.Observation)) *sinew.Observation {
		o := &sinew.Observation{
			Tool: "trivy", Rule: "CVE-2021-44228", Title: "log4j-core: RCE", Severity: sinew.SeverityCritical, IDs: []string{"CVE-2021-44228"},
			Package: &sinew.Package{
				Name: "org.apache.logging.log4j:log4j-core", Version: "2.14.1",
				PURL: "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", Path: "app/lib/log4j-core-2.14.1.jar",
			},
		}
		for _, e := range edit {
			e(o)
		}
		return o
	}
	secret := func(file, token string) *sinew.Observation {
		return &sinew.Observation{Tool: "gitleaks", Rule: "aws-key", Title: "AWS", File: file, Line: 3, Secret: "sinew:secret:k1:" + token}
	}
	web := func(method, url, param string) *sinew.Observation {
		return &sinew.Observation{Tool: "zap", Rule: "40012", Title: "XSS", Endpoint: &sinew.Endpoint{Method: method, URL: url, Param: param}}
	}
	host := func(h, port string) *sinew.Observation {
		return &sinew.Observation{Tool: "nessus", Rule: "1234", Title: "x", Host: h, Extra: map[string]any{"port": json.Number(port)}}
	}
	resource := func(id, name, file string) *sinew.Observation {
		return &sinew.Observation{
			Tool: "prowler", Rule: "s3_public", Title: "x", File: file, Line: 7,
			Resource: &sinew.Resource{Provider: "aws", Account: "123", Type: "bucket", ID: id, Name: name},
		}
	}
	edit := func(f func(o *sinew.Observation)) *sinew.Observation { return codeFinding(f) }
	tests := []struct {
		name string
		a, b *sinew.Observation
		want string // passes that agree: Tool, Content, Place, Moved, Near
	}{
		{"same", codeFinding(), codeFinding(), "CPMN"},
		{"line shift", codeFinding(), edit(func(o *sinew.Observation) { o.Line, o.EndLine = 99, 101 }), "CPMN"},
		{"rename of the file", codeFinding(), edit(func(o *sinew.Observation) { o.File = "internal/db/user.go" }), "M"},
		{"rename of the function", codeFinding(), edit(func(o *sinew.Observation) { o.Symbol = "store.Account" }), "CMN"},
		{"rescored severity", codeFinding(), edit(func(o *sinew.Observation) {
			o.Severity, o.ToolSeverity, o.CVSS = sinew.SeverityLow, "INFO", []sinew.CVSS{{Score: 1}}
		}), "CPMN"},
		{"reworded text", codeFinding(), edit(func(o *sinew.Observation) { o.Title, o.Description, o.Fix = "SQLi", "new", "newer" }), "CPMN"},
		{"another image, tags, links", codeFinding(), edit(func(o *sinew.Observation) {
			o.Image, o.Tags, o.Refs = "shop@sha256:1234", []string{"x"}, []string{"https://x"}
		}), "CPMN"},
		{"reformatted", codeFinding(), edit(func(o *sinew.Observation) {
			o.Snippet = "\trows, err := db.Query(\n\t\t\"select * from t where id=\" + id)\r\n"
		}), "CPMN"},
		{
			"snippet with line numbers", edit(func(o *sinew.Observation) { o.Snippet = "41 | a := b + c\n> 42 | query(a, b, c)" }),
			edit(func(o *sinew.Observation) { o.Snippet = "  51 | a := b + c\n> 52 | query(a, b, c)" }), "CPMN",
		},
		{"edited line", codeFinding(), edit(func(o *sinew.Observation) { o.Snippet = "db.Exec(\"delete from t where id=\" + id)" }), "PN"},
		{"path spelled otherwise", codeFinding(), edit(func(o *sinew.Observation) { o.File = `.\internal\store\x\..\user.go` }), "CPMN"},
		{"another rule", codeFinding(), edit(func(o *sinew.Observation) { o.Rule = "go.sql.other" }), ""},
		{
			"no rule: the title is one", edit(func(o *sinew.Observation) { o.Rule = "" }),
			edit(func(o *sinew.Observation) { o.Rule, o.Title = "", " sql  Injection\n" }), "CPMN",
		},
		{
			"short snippets do not move", edit(func(o *sinew.Observation) { o.Snippet = "eval(x)" }),
			edit(func(o *sinew.Observation) { o.Snippet, o.File = "eval(x)", "b.go" }), "",
		},
		{
			"tool id", edit(func(o *sinew.Observation) { o.ToolID = "AX-1" }),
			edit(func(o *sinew.Observation) { o.ToolID, o.Rule, o.File, o.Tool = "AX-1", "x", "y", "SonarQube 11" }), "T",
		},
		{
			"fingerprint", edit(func(o *sinew.Observation) {
				o.Fingerprints = map[string]string{"primaryLocationLineHash": "f00:1", "primaryLocationStartColumnFingerprint": "4444"}
			}),
			edit(func(o *sinew.Observation) {
				o.Fingerprints = map[string]string{"primaryLocationLineHash": "f00:1", "primaryLocationStartColumnFingerprint": "5555"}
				o.Snippet, o.File, o.Symbol = "", "new.go", ""
			}), "T",
		},
		{"a fingerprint of another rule is another finding", edit(func(o *sinew.Observation) {
			o.Fingerprints = map[string]string{"contextRegionHash/v1": "f00f"}
		}), edit(func(o *sinew.Observation) {
			o.Rule, o.Fingerprints = "z", map[string]string{"contextRegionHash/v1": "f00f"}
		}), ""},
		{"column alone is no fingerprint", edit(func(o *sinew.Observation) {
			o.Fingerprints = map[string]string{"primaryLocationStartColumnFingerprint": "5555"}
		}), edit(func(o *sinew.Observation) {
			o.File, o.Snippet, o.Fingerprints = "b.go", "", map[string]string{"primaryLocationStartColumnFingerprint": "5555"}
		}), ""},

		{"dependency", dep(), dep(), "CPM"},
		{
			"dependency: qualifiers and escapes", dep(func(o *sinew.Observation) { o.Package.PURL = "pkg:npm/%40scope/x@1.0.0" }),
			dep(func(o *sinew.Observation) { o.Package.PURL = "pkg:NPM/@scope/x@1.0.0?arch=amd64&distro=debian-12#sub" }), "CPM",
		},
		{"dependency: new version in another jar", dep(), dep(func(o *sinew.Observation) {
			o.Package.Version, o.Package.PURL = "2.14.2", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.2"
			o.Package.Path = "app/lib/log4j-core-2.14.2.jar"
		}), "P"},
		{"dependency: moved lock file", dep(), dep(func(o *sinew.Observation) { o.Package.Path = "srv/lib/log4j-core-2.14.1.jar" }), "M"},
		{"dependency: another vulnerability", dep(), dep(func(o *sinew.Observation) { o.Rule, o.IDs = "CVE-2021-45046", []string{"CVE-2021-45046"} }), ""},
		{"dependency: an alias is added", dep(), dep(func(o *sinew.Observation) { o.IDs = []string{"GHSA-jfh8-c2jp-5v3q", "CVE-2021-44228"} }), "CPM"},
		{
			"dependency: the rule says nothing, the ids do", dep(func(o *sinew.Observation) { o.Rule = "vulnerable-dependency" }),
			dep(func(o *sinew.Observation) { o.Rule, o.IDs = "vulnerable-dependency", []string{"CVE-2021-45046"} }), "",
		},
		{
			"dependency: no rule, ids in another order", dep(func(o *sinew.Observation) { o.Rule, o.IDs = "", []string{"GHSA-1", "CVE-1"} }),
			dep(func(o *sinew.Observation) { o.Rule, o.IDs, o.Title = "", []string{"CVE-1", "GHSA-1"}, "other" }), "CPM",
		},

		{"secret", secret("a.env", "x"), secret("a.env", "x"), "CPM"},
		{"secret moved", secret("a.env", "x"), secret("b.env", "x"), "M"},
		{"another secret in the same place is another finding", secret("a.env", "x"), secret("a.env", "y"), ""},

		{"web", web("GET", "https://shop.example/item/12?id=3&q=a", "q"), web("get", "HTTPS://Shop.Example:443/item/77/?q=b&id=9#top", "q"), "CP"},
		{"web: another parameter", web("GET", "https://shop.example/item/12", "q"), web("GET", "https://shop.example/item/12", "r"), ""},
		{"web: another method", web("GET", "https://shop.example/item/12", "q"), web("POST", "https://shop.example/item/12", "q"), "P"},
		{"web: another host", web("GET", "https://a.example/account/settings", "q"), web("GET", "https://b.example/account/settings", "q"), "M"},
		{"web: another host, short path", web("GET", "https://a.example/", "q"), web("GET", "https://b.example/", "q"), ""},
		{"web: another path", web("GET", "https://a.example/item/12", "q"), web("GET", "https://a.example/cart/12", "q"), ""},

		{"host", host("Web-1.example.org.", "443"), host("web-1.example.org", "443"), "C"},
		{"host: another port", host("web-1", "443"), host("web-1", "80"), ""},
		{"host: another host", host("web-1", "443"), host("web-2", "443"), ""},

		{"resource", resource("arn:aws:s3:::A", "a", ""), resource("arn:aws:s3:::a", "a", ""), "CP"},
		{"resource made anew", resource("i-1", "a", ""), resource("i-2", "a", ""), "P"},
		{"resource in a renamed file", resource("", "b.logs", "main.tf"), resource("", "b.logs", "s3.tf"), "P"},
		{"another resource of the file", resource("", "b.logs", "main.tf"), resource("", "b.data", "main.tf"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := agreement(tt.a, tt.b); got != tt.want {
				t.Errorf("they agree in %q, want %q", got, tt.want)
			}
			if got := agreement(tt.b, tt.a); got != tt.want {
				t.Errorf("the other way round they agree in %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFingerprintChoice(t *testing.T) {
	tests := []struct {
		prints map[string]string
		want   string
	}{
		{map[string]string{"zz": "1111", "aa": "2222"}, "aa"},
		{map[string]string{"aa": "1111", "primaryLocationLineHash": "2222"}, "primarylocationlinehash"},
		{map[string]string{"primaryLocationLineHash": "1111", "matchBasedId/v1": "2222"}, "matchbasedid/v1"},
		{map[string]string{"matchBasedId/v2": "2222", "matchBasedId/v1": "1111"}, "matchbasedid/v1"},
		{map[string]string{"contextRegionHash/v1": "", "x": "1111"}, "x"},
		{map[string]string{"matchBasedId/v1": "requires login", "x": "1111"}, "x"},
		{map[string]string{"matchBasedId/v1": "17"}, ""},
		{map[string]string{"primaryLocationStartColumnFingerprint": "1111"}, ""},
		{nil, ""},
	}
	for _, tt := range tests {
		for range 20 { // maps are walked in any order
			if got, _ := fingerprint(tt.prints); got != tt.want {
				t.Fatalf("%v: %q, want %q", tt.prints, got, tt.want)
			}
		}
	}
}

func TestNormalForms(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		f              func(string) string
	}{
		{"path", "./a//b/./c", "a/b/c", NormalPath},
		{"path", "/usr/lib/x", "usr/lib/x", NormalPath},
		{"path", `C:\src\A.go`, "c:/src/A.go", NormalPath},
		{"path", "file:///C:/src/A.go", "c:/src/A.go", NormalPath},
		{"path", "file:///src/a.go", "src/a.go", NormalPath},
		{"path", "a/../../b", "../b", NormalPath},
		{"path", "../../b/..", "../..", NormalPath},
		{"path", "a/..", "", NormalPath},
		{"path", "", "", NormalPath},
		{"url", "HTTP://User:pw@Example.org:80/A/../b/42?z=1&a=2&a=3#f", "http://example.org/A/../b/{}?a&z", URLTemplate},
		{"url", "https://x/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/v1", "https://x/o/{}/v1", URLTemplate},
		{"url", "https://x/o/0123456789abcdef0123/;jsessionid=1", "https://x/o/{}", URLTemplate},
		{"url", "/api/users/7/", "/api/users/{}", URLTemplate},
		{"url", "https://[::1]:443/", "https://[::1]", URLTemplate},
		{"url", "https://x/deadbeefcafe/feed", "https://x/deadbeefcafe/feed", URLTemplate},
		{"image", "reg:5000/a/b:1.2@sha256:00", "reg:5000/a/b", imageName},
		{"image", "reg:5000/a/b", "reg:5000/a/b", imageName},
	} {
		if got := tt.f(tt.in); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestContentHash(t *testing.T) {
	full := func() *sinew.Observation {
		o := codeFinding()
		o.IDs, o.Refs, o.Tags, o.CWE = []string{"a", "b"}, []string{"r"}, []string{"t"}, []int{79, 89}
		o.CVSS = []sinew.CVSS{{Version: "3.1", Vector: "v", Score: 9.8}}
		o.Package = &sinew.Package{Name: "n", Fixed: []string{"2"}}
		o.Resource, o.Endpoint = &sinew.Resource{ID: "i"}, &sinew.Endpoint{URL: "u"}
		o.Fingerprints = map[string]string{"a": "1", "b": "2"}
		o.Extra = map[string]any{"n": json.Number("1"), "list": []any{"x", true, nil, map[string]any{"k": 2.5}}}
		return o
	}
	base := ContentHash(full())
	if base != ContentHash(full()) {
		t.Fatal("the same observation has two hashes")
	}
	alike := full()
	alike.Extra["n"] = 1.0
	if ContentHash(alike) != base {
		t.Error("a number read in another way changes the hash")
	}
	edits := map[string]func(o *sinew.Observation){
		"tool": func(o *sinew.Observation) { o.Tool += "x" }, "rule": func(o *sinew.Observation) { o.Rule += "x" },
		"title": func(o *sinew.Observation) { o.Title += "x" }, "description": func(o *sinew.Observation) { o.Description += "x" },
		"fix": func(o *sinew.Observation) { o.Fix += "x" }, "severity": func(o *sinew.Observation) { o.Severity = "low" },
		"tool_severity": func(o *sinew.Observation) { o.ToolSeverity += "x" }, "cwe": func(o *sinew.Observation) { o.CWE = []int{7989} },
		"ids": func(o *sinew.Observation) { o.IDs = []string{"ab"} }, "cvss": func(o *sinew.Observation) { o.CVSS[0].Score = 9.7 },
		"file": func(o *sinew.Observation) { o.File += "x" }, "line": func(o *sinew.Observation) { o.Line++ },
		"end_line": func(o *sinew.Observation) { o.EndLine++ }, "symbol": func(o *sinew.Observation) { o.Symbol += "x" },
		"snippet": func(o *sinew.Observation) { o.Snippet += " " }, "package": func(o *sinew.Observation) { o.Package.Fixed = nil },
		"no package": func(o *sinew.Observation) { o.Package = nil }, "resource": func(o *sinew.Observation) { o.Resource.Name = "x" },
		"endpoint": func(o *sinew.Observation) { o.Endpoint.Param = "x" }, "image": func(o *sinew.Observation) { o.Image = "x" },
		"host": func(o *sinew.Observation) { o.Host = "x" }, "secret": func(o *sinew.Observation) { o.Secret = "x" },
		"tool_id": func(o *sinew.Observation) { o.ToolID = "x" }, "fingerprints": func(o *sinew.Observation) { o.Fingerprints["a"] = "12" },
		"status": func(o *sinew.Observation) { o.Status = sinew.ToolFixed }, "refs": func(o *sinew.Observation) { o.Refs = nil },
		"tags moved to refs": func(o *sinew.Observation) { o.Refs, o.Tags = []string{"r", "t"}, nil },
		"extra":              func(o *sinew.Observation) { o.Extra["n"] = "1" },
	}
	hashes := map[int64]string{base: "nothing"}
	for name, edit := range edits {
		o := full()
		edit(o)
		h := ContentHash(o)
		if other, ok := hashes[h]; ok {
			t.Errorf("a change of %s looks like a change of %s", name, other)
		}
		hashes[h] = name
	}
}

func TestExplain(t *testing.T) {
	was := codeFinding()
	is := codeFinding(func(o *sinew.Observation) { o.File, o.Line = "b.go", 9 })
	for _, tt := range []struct {
		pass Pass
		want string
	}{
		{PassMoved, "rule and snippet agree; the file moved from internal/store/user.go to b.go"},
		{PassNew, "nothing known before agrees with it"},
		{PassContent | PassSibling, "rule, file and snippet agree; the file moved from internal/store/user.go to b.go; recognised in another ref"},
	} {
		if got := tt.pass.Explain(was, is); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.pass, got, tt.want)
		}
	}
	for p := range passNames {
		for _, p := range []Pass{p, p | PassSibling} {
			for _, o := range []*sinew.Observation{nil, was} {
				if p.Explain(o, o) == "" {
					t.Errorf("pass %s is not explained", p)
				}
			}
			if back, ok := ParsePass(p.String()); !ok || back != p {
				t.Errorf("pass %d is called %q, which is read as %d", p, p, back)
			}
		}
	}
	if _, ok := ParsePass(fmt.Sprint(Pass(99))); ok {
		t.Error("a pass that does not exist has a name")
	}
}
