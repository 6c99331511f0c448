package format

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var secretMappings = []string{`
detect: { json: 'has("leaks")' }
rows:
  - path: .leaks[]
    secret: '.row.value, .row.also[]?'
    finding: '{title: .row.title, rule: .row.rule, severity: "high", file: .row.file, snippet: .row.match, description: .row.text, secret: .row.value, extra: .row}'
stream: '{target: .head.target}'
`, `
detect: { xml: 'has("leaks")' }
rows:
  - path: /leaks/leak
    secret: .row.value
    finding: '{title: .row["@title"], severity: "high", snippet: .row.match, extra: .row}'
`, `
detect: { csv: 'cols("leak"; "value")' }
rows:
  - path: .[]
    secret: .row.value
    finding: '{title: .row.leak, severity: "high", extra: .row}'
`}

// TRU6, invariant 1: no value of a secret comes out of a parse, nor stays in the
// evidence, however it is written, whichever row tells it; and the evidence
// parses to the same result.
func TestRedaction(t *testing.T) {
	e := engineOf(t, secretMappings...)
	key := "-----BEGIN KEY-----\nab\"c\\d/é<&>\n-----END KEY-----"
	j := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	nested := j(map[string]string{"inner": key})
	escaped := strings.ReplaceAll(strings.ReplaceAll(j(key), "/", `\/`), "A", `\u0041`)
	jsonText := fmt.Sprintf(`{"target": "hunter2-host", "leaks": [
		{"title": "says hunter2 early", "rule": "r", "text": %s, "file": "a"},
		{"title": "t", "value": "hunter2", "match": "pw = hunter2;", "rule": "r", "file": "b"},
		{"title": "key", "value": %s, "match": %s, "text": %s},
		{"title": "word", "value": "password", "match": "password = password", "password": "x", "rule": "hardcoded-password", "text": "the password"},
		{"title": "short", "value": "abc", "match": "abc abcd 'abc' title", "text": "abc"},
		{"title": "other abc", "value": "sinew:secret:k1:00112233445566778899aabbccddeeff", "match": "secret sinew"},
		{"title": "number", "value": 987654321, "match": "pin 987654321", "line": 1987654321, "also": [12.5, 42]},
		{"title": "same number, no secret", "match": 987654321},
		{"title": "masked", "value": "********", "also": ["secret"]}
	]}`, j(nested), escaped, j("x "+key+" y"), j(nested))
	xmlText := `<leaks><leak title="has s3cr&#x65;t&amp;more too"><value>nothing-here-1</value></leak>` +
		`<leak title="b"><value>s3cret&amp;more</value><match><![CDATA[= s3cret&more]]></match></leak></leaks>`
	csvText := "leak,value,text\r\n\"a \"\"quo\"\"ted1 b\",hunter2,x\r\nb,\"\"\"quo\"\"ted1\",y\r\n"
	for _, tt := range []struct {
		name  string
		data  []byte
		gone  []string // values that must be nowhere
		stays []string // what must still be in the evidence
	}{
		{
			"json", []byte(jsonText),
			[]string{"hunter2", "BEGIN KEY", "= password", "the password", "'abc'"},
			[]string{`"password": "x"`, "hardcoded-password", "********", "sinew:secret:k1:00112233445566778899aabbccddeeff", "abcd", `"other abc"`, "1987654321", `"match": 987654321`},
		},
		{"xml", []byte(xmlText), []string{"s3cret", "s3cr&#x65;t", "nothing-here-1"}, []string{"<![CDATA["}},
		{"csv", []byte(csvText), []string{"hunter2", "quo"}, []string{"leak,value,text"}},
		{"utf-16", utf16Of(jsonText, binary.LittleEndian, true), []string{"hunter2", "BEGIN KEY"}, []string{`"password": "x"`}},
		{"gzip", gzipOf([]byte(jsonText)), nil, nil},
		{"zip", zipOf(t, "one.json", jsonText, "two.json", `{"target": "hunter2-host", "leaks": [{"title": "abc hunter2"}]}`), nil, nil},
		{"tar", tarOf(t, "one.json", jsonText), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Redactor: NewRedactor([]byte("key"), "k1")}
			first, res := parseBytes(t, e, "r", tt.data, opt)
			if first.Error != "" {
				t.Fatal(first.Error)
			}
			var evidence bytes.Buffer
			if err := Redact(context.Background(), Input{R: bytes.NewReader(tt.data), Size: int64(len(tt.data))}, res.Secrets, &evidence); err != nil {
				t.Fatal(err)
			}
			body := j(first.Body) + j(first.Snapshot)
			for _, v := range append(tt.gone, "hunter2", "BEGIN KEY", "s3cret&more", `"quo"ted1`) {
				if strings.Contains(body, strings.Trim(j(v), `"`)) || strings.Contains(body, v) {
					t.Errorf("the parse tells %q: %s", v, body)
				}
				if bytes.Contains(evidence.Bytes(), []byte(v)) {
					t.Errorf("the evidence tells %q: %s", v, evidence.String())
				}
			}
			for _, v := range tt.stays {
				if !bytes.Contains(evidence.Bytes(), []byte(v)) {
					t.Errorf("the evidence lost %q: %s", v, evidence.String())
				}
			}
			again, res2 := parseBytes(t, e, "r", evidence.Bytes(), opt)
			first.Snapshot.Notes, again.Snapshot.Notes = nil, nil
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("the evidence parses differently (-report +evidence):\n%s", diff)
			}
			var twice bytes.Buffer
			if err := Redact(context.Background(), Input{R: bytes.NewReader(evidence.Bytes()), Size: int64(evidence.Len())}, res2.Secrets, &twice); err != nil {
				t.Fatal(err)
			}
			if tt.name != "gzip" && tt.name != "zip" && !bytes.Equal(twice.Bytes(), evidence.Bytes()) {
				t.Errorf("redacting evidence changes it:\n%s", cmp.Diff(evidence.String(), twice.String()))
			}
			if strings.HasPrefix(tt.name, "json") {
				golden(t, "redact-"+tt.name, again)
			}
		})
	}
}

// TRU6: a value that straddles the chunks in which evidence is written.
func TestRedactAcrossChunks(t *testing.T) {
	secret := "s3cr\"et-" + strings.Repeat("é\n", 40)
	enc, _ := json.Marshal(secret)
	spelled := strings.ReplaceAll(string(enc[1:len(enc)-1]), "é", `\u00e9`)
	s := &Secrets{}
	if err := s.add(secret, false, NewRedactor([]byte("k"), "k"), &row{}); err != nil {
		t.Fatal(err)
	}
	s.seal()
	token := s.tokens[strings.TrimSpace(secret)]
	for shift := redactChunk - 500; shift < redactChunk+9000; shift += 111 {
		text := `{"a": "` + strings.Repeat(`\\`, shift/2) + spelled + `", "b": "` + string(enc[1:len(enc)-1]) + `"}`
		var out bytes.Buffer
		if err := Redact(context.Background(), Input{R: strings.NewReader(text), Size: int64(len(text))}, s, &out); err != nil {
			t.Fatal(err)
		}
		want := `{"a": "` + strings.Repeat(`\\`, shift/2) + token + `\n", "b": "` + token + `\n"}`
		if out.String() != want {
			t.Fatalf("shift %d: redacted text differs at %d of %d", shift, commonPrefix(out.String(), want), len(want))
		}
	}
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func TestRedactors(t *testing.T) {
	a, b := NewRedactor([]byte("one"), "K 1"), NewRedactor([]byte("two"), "K 1")
	if one := a.Token("x"); one != a.Token("x") || a.Token("x") == a.Token("y") || a.Token("x") == b.Token("x") {
		t.Error("tokens do not follow key and value")
	}
	if tok := a.Token("x"); !isToken(tok) || b.Token(tok) != tok || !strings.HasPrefix(tok, "sinew:secret:k-1:") {
		t.Errorf("token %q", tok)
	}
	l := &localRedactor{n: map[string]int{}}
	if got := []string{l.Token("p"), l.Token("q"), l.Token("p")}; got[0] != "sinew:secret:local:1" || got[1] != "sinew:secret:local:2" || got[2] != got[0] {
		t.Errorf("local tokens %v", got)
	}
}

// TRU6: what waits on disk is not readable there.
func TestSpool(t *testing.T) {
	s, err := NewSpool(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text := strings.Repeat("plain text secret ", 40)
	for i := 0; i < len(text); i += 7 {
		if _, err := s.Write([]byte(text[i:min(i+7, len(text))])); err != nil {
			t.Fatal(err)
		}
	}
	for off := range int64(len(text)) {
		b := make([]byte, 33)
		n, _ := s.ReadAt(b, off)
		if want := text[off:min(off+33, int64(len(text)))]; string(b[:n]) != want {
			t.Fatalf("at %d: %q, want %q", off, b[:n], want)
		}
	}
	raw := make([]byte, len(text))
	if _, err := s.File().ReadAt(raw, 0); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("plain")) || bytes.Contains(raw, []byte("secret")) {
		t.Error("the file holds plain text")
	}
	if _, err := s.Write(make([]byte, 400)); err == nil || !strings.Contains(err.Error(), "larger than 1000 bytes") {
		t.Errorf("over the limit: %v", err)
	}
}
