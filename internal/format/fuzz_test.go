package format

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TRU4: whatever the bytes, a parse ends in a result or in an error for people.
func fuzzParse(t *testing.T, e *Engine, data []byte, formatID string) {
	_, err := e.Parse(context.Background(), Input{Name: "f", R: bytes.NewReader(data), Size: int64(len(data))}, Options{Format: formatID},
		func(b sinew.SnapshotBody) error {
			o := b.Observation
			if o == nil {
				return nil
			}
			if o.Title == "" || o.Tool == "" || o.Severity.Rank() < 0 || o.Line < 0 || len(o.Title) > maxTitle+10 || !utf8.ValidString(o.Title+o.Description) || strings.Contains(o.Title, "\x00") {
				t.Errorf("observation %+v", o)
			}
			_, err := json.Marshal(o)
			return err
		})
	if err != nil && !errors.As(err, new(*sinew.Error)) {
		t.Errorf("error of another kind: %v", err)
	}
}

func FuzzDetect(f *testing.F) {
	e := readerEngine(f)
	for _, s := range []string{jsonReport, xmlReport, "", "[]", "{\"msg\":1}\n{\"msg\":2}", "Plugin ID,Risk\n1,low\n", "== lint\na:1: error: x", "<!doctype html><title>Scan</title>", "\xff\xfe{\x00}\x00"} {
		f.Add([]byte(s))
	}
	f.Add(zipOf(f, "a.json", jsonReport))
	f.Add(xlsxOf(f))
	f.Add(gzipOf([]byte(jsonReport)))
	f.Add(tarOf(f, "a", xmlReport))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzParse(t, e, data, "") })
}

// FuzzJSON compares the decoder with encoding/json: what that accepts, ours
// reads as the same values.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{jsonReport, `{"a":[1,-2,3.5e10,"\ud83d\ude00\u0041",null,true]}`, `"\ud800"`, `[[[[]]]]`, `{"a":1,"a":2}`, "123456789012345678901", `-0`, `1e999`} {
		f.Add([]byte(s))
	}
	limits := Limits{}.WithDefaults()
	f.Fuzz(func(t *testing.T, data []byte) {
		d := decoder{limits: limits, notes: &notes{}}
		got, err := d.decode(data)
		var want any
		wd := json.NewDecoder(bytes.NewReader(data))
		wd.UseNumber()
		werr := wd.Decode(&want)
		if werr == nil && !errors.Is(wd.Decode(new(any)), io.EOF) {
			return
		}
		if werr != nil {
			return // ours forgives raw control characters and bytes that are not UTF-8
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if !utf8.Valid(data) || bytes.Contains(data, []byte(`\u0000`)) || bytes.Contains(data, []byte(`\u`)) && bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) {
			return // the border differs on purpose
		}
		if diff := cmp.Diff(normal(want), normal(got)); diff != "" {
			t.Fatalf("%q: %s", data, diff)
		}
		// Framing agrees with decoding, whatever the chunks.
		sc := jsonScanner{w: newWindow(bytes.NewReader(data)), depth: limits.Depth}
		frame, err := sc.value(len(data) + 1)
		if err != nil || !bytes.Equal(bytes.TrimSpace(frame), bytes.TrimSpace(data)) {
			t.Fatalf("%q framed as %q: %v", data, frame, err)
		}
	})
}

// normal makes numbers comparable by their text.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return json.Number(textOf(v))
	case json.Number:
		if v == "-0" {
			return json.Number("0")
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = normal(v[k])
		}
		return out
	}
	return v
}

func FuzzXML(f *testing.F) {
	e := readerEngine(f)
	for _, s := range []string{xmlReport, "<Report/>", "<Report><Host><Item/></Host></Report>", "<Report a='&#x110000;'>&lt;<![CDATA[]]]]>", "<!DOCTYPE Report [<!ENTITY a 'b'>]><Report/>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzParse(t, e, data, "xml") })
}

func FuzzCSV(f *testing.F) {
	e := readerEngine(f)
	for _, s := range []string{"Plugin ID,Risk,Name\n1,low,\"a\"\"b\"\n", "Plugin ID;Risk\r\r\"\";\"", "sep=;\nPlugin ID;Risk\n;high"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzParse(t, e, data, "csv") })
}

// FuzzMap gives the border whatever a program could.
func FuzzMap(f *testing.F) {
	f.Add([]byte(`{"title": "t", "severity": "low", "cwe": [1, "x", -3], "cvss": {"vector": "v", "score": 99}, "line": "12", "extra": {"a": [1e999, {"b": null}]}, "package": {"fixed": "1"}}`))
	f.Add([]byte(`{"title": ["x"], "severity": 3}`))
	f.Add([]byte(`{"severity": "high", "ids": ["CVE-1"], "status": "false positive", "at": "2024-01-01", "endpoint": {"url": 1}, "fingerprints": {"a": "b"}}`))
	limits := Limits{}.WithDefaults()
	same := func(s string) string { return s }
	f.Fuzz(func(t *testing.T, data []byte) {
		d := decoder{limits: limits}
		v, err := d.decode(data)
		if err != nil {
			return
		}
		o, err := observation(v, "tool", func() string { return "row" }, &veil{token: same, text: same, key: same}, &notes{})
		if err != nil {
			return
		}
		if o.Title == "" || o.Severity.Rank() < 0 || o.Line < 0 {
			t.Errorf("%+v", o)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	})
}

// FuzzRedact: the value of a secret is not in what was redacted, whatever is
// around it.
func FuzzRedact(f *testing.F) {
	f.Add("hunter2-x", "pw=", "&")
	f.Add("a\"b\\c\n12", "\\", "\\\\\"")
	f.Add("ünïcödé", "\u0000", "sinew:secret:")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		secret = strings.TrimSpace(strings.ToValidUTF8(secret, ""))
		if len(secret) < minGlobalSecret || len(secret) > 200 || strings.ContainsAny(secret, "\x00&\\\r") || strings.Contains(TokenPrefix+"k", secret) || wordLike(secret) || masked(secret) {
			return
		}
		s := &Secrets{}
		if err := s.add(secret, false, NewRedactor([]byte("k"), "k"), &row{}); err != nil || len(s.tokens) == 0 {
			return
		}
		s.seal()
		text, err := json.Marshal(map[string]string{"v": before + secret + after})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Redact(context.Background(), Input{R: bytes.NewReader(text), Size: int64(len(text))}, s, &out); err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		rest := back["v"]
		for _, tok := range s.tokens {
			rest = strings.ReplaceAll(rest, tok, "\x00") // which no secret here has in it
		}
		if strings.Contains(rest, secret) {
			t.Errorf("%q still tells %q", out.String(), secret)
		}
	})
}
