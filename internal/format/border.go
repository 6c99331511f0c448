package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The border between a program's output and the vocabulary: every field has one
// meaning, a type and a cap; what does not fit is an error that names the field.

const (
	maxTitle   = 1 << 10
	maxText    = 64 << 10 // description, fix, snippet
	maxName    = 2 << 10  // names, paths, ids
	maxURL     = 4 << 10
	maxItems   = 500      // of a list
	maxExtra   = 32 << 10 // all of extra
	maxExtraTx = 4 << 10  // one text in extra
)

// veil keeps the values of secrets from passing the border.
type veil struct {
	token func(string) string // of a value
	text  func(string) string // a text without them
	key   func(string) string // a name without them
	own   []localSecret       // of the row
}

// fielder reads the fields of one program output.
type fielder struct {
	m     map[string]any
	where func() string
	veil  *veil
	notes *notes
	err   error
}

func (f *fielder) fail(field, msg string, args ...any) {
	if f.err == nil {
		f.err = invalid(f.where(), "the mapping gives %s: %s", field, fmt.Sprintf(msg, args...)).Hint("correct the mapping")
	}
}

func (f *fielder) take(field string) any {
	v := f.m[field]
	return v
}

func (f *fielder) string(field string, limit int) string {
	return f.stringOf(field, f.take(field), limit)
}

func (f *fielder) stringOf(field string, v any, limit int) string {
	var s string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		s = f.veil.text(strings.TrimSpace(v))
	case []any, map[string]any:
		f.fail(field, "expected text, got %s", jqType(v))
		return ""
	default:
		// A number is a secret only where its own row says so.
		if s = numberToken(f.veil.own, v); s == "" {
			s = textOf(v)
		}
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit {
		f.notes.add("texts cut", fmt.Sprintf("%s: %s has %s and was cut to %s", f.where(), field, size(int64(len(s))), size(int64(limit))))
		s = cutText(s, limit)
	}
	return s
}

func (f *fielder) int(field string) int {
	v := f.take(field)
	if v == nil || v == "" {
		return 0
	}
	n, ok := wholeNumber(v).(int)
	if !ok {
		f.fail(field, "expected a number, got %s", jqType(v))
	}
	if n < 0 || n > math.MaxInt32 {
		return 0 // no line of any file
	}
	return n
}

func (f *fielder) list(field string) []any {
	switch v := f.take(field).(type) {
	case nil:
		return nil
	case []any:
		if len(v) > maxItems {
			f.notes.add("lists cut", fmt.Sprintf("%s: %s has %d entries; the first %d are kept", f.where(), field, len(v), maxItems))
			v = v[:maxItems]
		}
		return v
	case string:
		if v == "" {
			return nil
		}
		return []any{v}
	default:
		f.fail(field, "expected an array, got %s", jqType(v))
		return nil
	}
}

func (f *fielder) strings(field string, limit int) []string {
	items := f.list(field)
	if len(items) == 0 {
		return nil
	}
	var seen map[string]bool // of long lists
	if len(items) > 16 {
		seen = make(map[string]bool, len(items))
	}
	out := make([]string, 0, len(items))
	for _, v := range items {
		s := f.stringOf(field, v, limit)
		if s == "" || seen[s] || seen == nil && slices.Contains(out, s) {
			continue
		}
		if seen != nil {
			seen[s] = true
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (f *fielder) object(field string, known ...string) *fielder {
	switch v := f.take(field).(type) {
	case nil:
		return nil
	case map[string]any:
		sub := &fielder{m: v, where: f.where, veil: f.veil, notes: f.notes}
		sub.unknown(field+".", known)
		if sub.err != nil && f.err == nil {
			f.err = sub.err
		}
		return sub
	default:
		f.fail(field, "expected an object, got %s", jqType(v))
		return nil
	}
}

func (f *fielder) unknown(prefix string, known []string) {
	n := 0
	for _, k := range known {
		if _, ok := f.m[k]; ok {
			n++
		}
	}
	if n == len(f.m) {
		return
	}
	for _, k := range sortedKeys(f.m) {
		ok := false
		for _, name := range known {
			ok = ok || k == name
		}
		if !ok {
			f.fail(prefix+k, "there is no such field")
			return
		}
	}
}

func (f *fielder) time(field string) *time.Time {
	v := f.take(field)
	if v == nil || v == "" {
		return nil
	}
	s, ok := timestamp(v).(string)
	if !ok {
		f.notes.add("dates not understood", fmt.Sprintf("%s: %s is no date: %s", f.where(), field, cutText(textOf(v), 60)))
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil
	}
	t = t.UTC()
	return &t
}

var observationFields = []string{
	"tool", "rule", "title", "description", "fix", "severity", "tool_severity", "cwe", "ids", "cvss", "file", "line",
	"end_line", "symbol", "snippet", "package", "resource", "endpoint", "image", "host", "secret", "tool_id",
	"fingerprints", "status", "at", "refs", "tags", "extra",
}

// observation makes one of a program's output.
func observation(out any, tool string, where func() string, v *veil, n *notes) (*sinew.Observation, error) {
	m, ok := out.(map[string]any)
	if !ok {
		return nil, invalid(where(), "the mapping gives a finding that is %s, expected an object", jqType(out)).Hint("correct the mapping")
	}
	f := &fielder{m: m, where: where, veil: v, notes: n}
	f.unknown("", observationFields)
	o := &sinew.Observation{
		Tool: f.string("tool", 200), Rule: f.string("rule", maxName), Title: f.string("title", maxTitle),
		Description: f.string("description", maxText), Fix: f.string("fix", maxText),
		ToolSeverity: f.string("tool_severity", 100),
		File:         f.string("file", maxName), Line: f.int("line"), EndLine: f.int("end_line"),
		Symbol: f.string("symbol", maxName), Snippet: f.string("snippet", maxText),
		Image: f.string("image", maxName), Host: f.string("host", maxName), ToolID: f.string("tool_id", maxName),
		IDs: f.strings("ids", 200), Refs: f.strings("refs", maxURL), Tags: f.strings("tags", 500), At: f.time("at"),
	}
	if o.Tool == "" {
		o.Tool = tool
	}
	if s, ok := m["secret"].(string); ok && s != "" {
		o.Secret = v.token(s)
	}
	if o.EndLine != 0 && o.EndLine < o.Line {
		o.EndLine = 0
	}
	for _, c := range f.list("cwe") {
		if n, ok := wholeNumber(c).(int); ok && n > 0 && n < 100_000 {
			o.CWE = append(o.CWE, n)
		}
	}
	f.severity(o)
	f.places(o)
	f.scores(o)
	f.status(o)
	if fp := f.object("fingerprints", sortedKeysOf(m["fingerprints"])...); fp != nil {
		o.Fingerprints = map[string]string{}
		for _, k := range sortedKeys(fp.m) {
			if s := fp.string(k, maxName); s != "" && len(o.Fingerprints) < 50 {
				o.Fingerprints[cutText(f.veil.key(k), 200)] = s
			}
		}
		if len(o.Fingerprints) == 0 {
			o.Fingerprints = nil
		}
	}
	if ex := f.object("extra", sortedKeysOf(m["extra"])...); ex != nil && len(ex.m) > 0 {
		left := maxExtra
		if e, ok := f.plain(ex.m, &left, 0).(map[string]any); ok && len(e) > 0 {
			o.Extra = e
		}
		if left < 0 {
			n.add("texts cut", fmt.Sprintf("%s: extra is larger than %s; the rest is left out", where(), size(maxExtra)))
		}
	}
	if o.Title == "" {
		o.Title = firstText(o.Rule, strings.Join(o.IDs, ", "), firstLine(o.Description))
		if o.Title == "" {
			f.fail("title", "it is empty")
		}
	}
	return o, f.err
}

func sortedKeysOf(v any) []string {
	m, _ := v.(map[string]any)
	return sortedKeys(m)
}

func firstText(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return cutText(s, maxTitle)
		}
	}
	return ""
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (f *fielder) severity(o *sinew.Observation) {
	s, _ := f.m["severity"].(string)
	o.Severity = sinew.Severity(s)
	if o.Severity.Rank() < 0 {
		v := f.m["severity"]
		if v == nil {
			f.fail("severity", "nothing, expected critical, high, medium, low or info")
			return
		}
		f.fail("severity", "%q, expected critical, high, medium, low or info", cutText(textOf(v), 60))
	}
}

func (f *fielder) places(o *sinew.Observation) {
	if p := f.object("package", "name", "version", "purl", "fixed", "path"); p != nil {
		o.Package = &sinew.Package{
			Name: p.string("name", maxName), Version: p.string("version", 500), PURL: p.string("purl", maxName),
			Fixed: p.strings("fixed", 500), Path: p.string("path", maxName),
		}
		if o.Package.Name == "" && o.Package.PURL == "" && o.Package.Version == "" && o.Package.Path == "" {
			o.Package = nil
		}
		f.err = errors.Join(f.err, p.err)
	}
	if r := f.object("resource", "provider", "account", "region", "type", "id", "name"); r != nil {
		o.Resource = &sinew.Resource{
			Provider: r.string("provider", 100), Account: r.string("account", 500), Region: r.string("region", 200),
			Type: r.string("type", 500), ID: r.string("id", maxName), Name: r.string("name", maxName),
		}
		if *o.Resource == (sinew.Resource{}) {
			o.Resource = nil
		}
		f.err = errors.Join(f.err, r.err)
	}
	if e := f.object("endpoint", "method", "url", "param"); e != nil {
		o.Endpoint = &sinew.Endpoint{Method: e.string("method", 40), URL: e.string("url", maxURL), Param: e.string("param", maxName)}
		if *o.Endpoint == (sinew.Endpoint{}) {
			o.Endpoint = nil
		}
		f.err = errors.Join(f.err, e.err)
	}
}

func (f *fielder) scores(o *sinew.Observation) {
	v := f.m["cvss"]
	if m, ok := v.(map[string]any); ok {
		v = []any{m}
	}
	items, ok := v.([]any)
	if !ok && v != nil {
		f.fail("cvss", "expected an array of {version, vector, score}, got %s", jqType(v))
	}
	for _, e := range items[:min(len(items), 50)] {
		if e == nil {
			continue
		}
		m, ok := e.(map[string]any)
		if !ok {
			f.fail("cvss", "expected {version, vector, score}, got %s", jqType(e))
			return
		}
		c := &fielder{m: m, where: f.where, veil: f.veil, notes: f.notes}
		c.unknown("cvss.", []string{"version", "vector", "score"})
		s := sinew.CVSS{Version: c.string("version", 20), Vector: c.string("vector", 500)}
		if score := m["score"]; score != nil {
			n, err := strconv.ParseFloat(textOf(score), 64)
			if err == nil && n >= 0 && n <= 10 {
				s.Score = n
			}
		}
		if s != (sinew.CVSS{}) && s != (sinew.CVSS{Version: s.Version}) {
			o.CVSS = append(o.CVSS, s)
		}
		if c.err != nil && f.err == nil {
			f.err = c.err
		}
	}
}

func (f *fielder) status(o *sinew.Observation) {
	switch s := f.string("status", 100); s {
	case "":
	case string(sinew.ToolOpen), string(sinew.ToolFalsePositive), string(sinew.ToolAccepted), string(sinew.ToolFixed):
		o.Status = sinew.ToolStatus(s)
	case "false positive":
		o.Status = sinew.ToolFalsePositive
	default:
		f.fail("status", "%q, expected open, false_positive, accepted or fixed", cutText(s, 60))
	}
}

// plain makes a value fit for JSON and within its cap.
func (f *fielder) plain(v any, left *int, depth int) any {
	if *left < 0 || depth > 32 {
		return nil
	}
	if t := numberToken(f.veil.own, v); t != "" {
		return t
	}
	switch v := v.(type) {
	case string:
		s := cutText(strings.ReplaceAll(f.veil.text(v), "\x00", ""), maxExtraTx)
		if *left -= len(s) + 4; *left < 0 {
			return nil
		}
		return s
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			*left -= len(k) + 4
			if e := f.plain(v[k], left, depth+1); e != nil {
				out[cutText(f.veil.key(k), 200)] = e
			}
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			if e = f.plain(e, left, depth+1); e != nil {
				out = append(out, e)
			}
		}
		return out
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		*left -= 8
		return v
	case *big.Int:
		*left -= v.BitLen() / 3
		return json.Number(v.String())
	case json.Number:
		*left -= len(v)
		return v
	case int, bool:
		*left -= 8
		return v
	}
	return nil
}

func jqType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "text"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
