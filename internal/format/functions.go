package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/sinewsec/sinew/internal/sinew"
)

// native is a function written in Go that programs may call.
type native struct {
	name string
	args int
	call func(any, []any) any
}

func functions() []gojq.CompilerOption {
	var out []gojq.CompilerOption
	for _, n := range natives() {
		out = append(out, gojq.WithFunction(n.name, n.args, n.args, n.call))
	}
	return out
}

// natives are the functions that programs may call; prelude.jq documents them.
func natives() []native {
	f := func(name string, args, _ int, fn func(any, []any) any) native { return native{name, args, fn} }
	text := func(name string, fn func(string) any) native {
		return f(name, 0, 0, func(v any, _ []any) any {
			switch v := v.(type) {
			case nil:
				return nil
			case string:
				return fn(v)
			default:
				return fn(textOf(v))
			}
		})
	}
	return []native{
		f("severity", 0, 0, func(v any, _ []any) any { return severity(v) }),
		f("cwes", 0, 0, func(v any, _ []any) any { return cwes(v) }),
		f("ids", 0, 0, func(v any, _ []any) any { return vulnerabilityIDs(v) }),
		f("purl", 4, 4, func(_ any, a []any) any { return purl(textOf(a[0]), textOf(a[1]), textOf(a[2]), textOf(a[3])) }),
		f("_cvss", 2, 2, func(_ any, a []any) any { return cvss(textOf(a[0]), a[1]) }),
		text("relpath", func(s string) any { return relpath(s) }),
		text("md", func(s string) any { return markdown(s) }),
		f("ts", 0, 0, func(v any, _ []any) any { return timestamp(v) }),
		f("_lookup", 3, 3, lookup),
		f("_keys_of", 2, 2, keysOf),
		f("list", 0, 0, func(v any, _ []any) any { return list(v) }),
		f("text", 0, 0, func(v any, _ []any) any { return textOf(v) }),
		text("tokey", func(s string) any { return tokey(s) }),
		f("replace", 2, 2, replace),
		text("lines", func(s string) any { return lines(s) }),
		f("_field", 1, 1, field),
		f("_cols", 1, 1, cols),
		f("int", 0, 0, func(v any, _ []any) any { return wholeNumber(v) }),
		f("blank", 0, 0, func(v any, _ []any) any { return isBlank(v) }),
		f("prune", 0, 0, func(v any, _ []any) any { return prune(v) }),
		text("host_of", func(s string) any { return hostOf(s) }),
		f("css", 1, 1, cssFunc),
		f("_rx", 2, 2, rxMatch),
		f("_rx_test", 2, 2, rxTest),
		f("_rx_split", 2, 2, rxSplit),
		f("_rx_splice", 2, 2, rxSplice),
	}
}

var severityWords = map[string]sinew.Severity{
	"critical": sinew.SeverityCritical, "crit": sinew.SeverityCritical, "very high": sinew.SeverityCritical,
	"very-high": sinew.SeverityCritical, "very_high": sinew.SeverityCritical, "blocker": sinew.SeverityCritical,
	"emergency": sinew.SeverityCritical, "fatal": sinew.SeverityCritical, "urgent": sinew.SeverityCritical,
	"severe": sinew.SeverityCritical, "defcon1": sinew.SeverityCritical, "alert": sinew.SeverityCritical,
	"high": sinew.SeverityHigh, "error": sinew.SeverityHigh, "err": sinew.SeverityHigh, "important": sinew.SeverityHigh,
	"major": sinew.SeverityHigh, "serious": sinew.SeverityHigh, "danger": sinew.SeverityHigh,
	"medium": sinew.SeverityMedium, "moderate": sinew.SeverityMedium, "med": sinew.SeverityMedium,
	"warning": sinew.SeverityMedium, "warn": sinew.SeverityMedium, "average": sinew.SeverityMedium,
	"low": sinew.SeverityLow, "minor": sinew.SeverityLow, "very low": sinew.SeverityLow, "very_low": sinew.SeverityLow,
	"info": sinew.SeverityInfo, "informational": sinew.SeverityInfo, "information": sinew.SeverityInfo,
	"informative": sinew.SeverityInfo, "note": sinew.SeverityInfo, "notice": sinew.SeverityInfo,
	"none": sinew.SeverityInfo, "negligible": sinew.SeverityInfo, "log": sinew.SeverityInfo, "trivial": sinew.SeverityInfo,
	"recommendation": sinew.SeverityInfo, "best practices": sinew.SeverityInfo, "hint": sinew.SeverityInfo,
	"style": sinew.SeverityInfo, "optional": sinew.SeverityInfo, "debug": sinew.SeverityInfo,
}

// severity maps the words that tools use, and CVSS scores by the qualitative
// scale of CVSS 3.1 section 5.
func severity(v any) any {
	if s, ok := v.(string); ok {
		s = strings.ToLower(strings.TrimSpace(s))
		if sev, ok := severityWords[s]; ok {
			return string(sev)
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil
		}
		v = f
	}
	f, ok := gojq.ToFloat64(v)
	switch {
	case !ok, math.IsNaN(f), f < 0, f > 10:
		return nil
	case f >= 9:
		return string(sinew.SeverityCritical)
	case f >= 7:
		return string(sinew.SeverityHigh)
	case f >= 4:
		return string(sinew.SeverityMedium)
	case f > 0:
		return string(sinew.SeverityLow)
	}
	return string(sinew.SeverityInfo)
}

var (
	cwePattern  = regexp.MustCompile(`(?i)cwe[-_: ]{0,3}(?:id)?[-_: #]{0,3}0*([1-9]\d{0,4})`)
	bareNumbers = regexp.MustCompile(`^\s*0*[1-9]\d{0,4}(?:\s*[,; ]\s*0*[1-9]\d{0,4})*\s*$`)
	digits      = regexp.MustCompile(`\d+`)
	idPatterns  = regexp.MustCompile(`(?i)\b(?:CVE-\d{4}-\d{4,}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}|` +
		`(?:GO|RUSTSEC|PYSEC|OSV|MAL|GMS|CNVD|JVNDB|EUVD|ASB-A|PUB-A|LSN|OSEC|HSEC|CGA|BIT|RSEC|PSF)-\d{4}-\d+|` +
		`(?:RHSA|RHBA|RHEA|CESA|ALSA|ELSA|RLSA|DSA|DLA|USN|GLSA|ALAS2?|ALAS2023|SUSE-SU|openSUSE-SU|MGASA|FEDORA|TEMP|TRA|ZDI|VU|GSD|SNYK|XSA|NSWG|CISA|ICSA|EDB|ELA)-[0-9A-Za-z:.+-]*\d[0-9A-Za-z-]*)`)
)

func eachText(v any, f func(string)) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, e := range v {
			eachText(e, f)
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			eachText(v[k], f)
		}
	default:
		f(textOf(v))
	}
}

func cwes(v any) any {
	out := []any{}
	add := func(s string) {
		n, err := strconv.Atoi(s)
		if err == nil && n > 0 && !slices.Contains(out, any(n)) {
			out = append(out, n)
		}
	}
	eachText(v, func(s string) {
		if len(s) > 4 && len(s) <= 9 && s[:4] == "CWE-" {
			if n, err := strconv.Atoi(s[4:]); err == nil && n > 0 { // nearly all are written so
				add(s[4:])
				return
			}
		}
		if len(s) < 200 && bareNumbers.MatchString(s) {
			for _, n := range digits.FindAllString(s, -1) {
				add(n)
			}
			return
		}
		s = s[:min(len(s), 64<<10)]
		if !strings.Contains(s, "CWE") && !strings.Contains(s, "cwe") && !strings.Contains(s, "Cwe") {
			return
		}
		for _, m := range cwePattern.FindAllStringSubmatch(s, 100) {
			add(m[1])
		}
	})
	return out
}

func vulnerabilityIDs(v any) any {
	out := []any{}
	seen := map[string]bool{}
	eachText(v, func(s string) {
		s = s[:min(len(s), 64<<10)]
		if strings.IndexByte(s, '-') < 0 {
			return
		}
		for _, id := range idPatterns.FindAllString(s, 1000) {
			id = strings.TrimRight(id, "-.:+")
			if up := strings.ToUpper(id); strings.HasPrefix(up, "CVE-") {
				id = up
			} else if strings.HasPrefix(up, "GHSA-") {
				id = "GHSA" + strings.ToLower(id[4:])
			}
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	})
	return out
}

// cvss parses a vector and computes its base score (FIRST's specifications of
// CVSS 2.0, 3.0, 3.1 and 4.0, by go-cvss). A score given by the tool wins.
func cvss(vector string, given any) any {
	vector = strings.Trim(strings.TrimSpace(vector), "()")
	out := map[string]any{}
	score, err := 0.0, errors.New("none")
	switch {
	case vector == "":
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		var c *gocvss30.CVSS30
		if c, err = gocvss30.ParseVector(vector); err == nil {
			out["version"], score = "3.0", c.BaseScore()
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		var c *gocvss31.CVSS31
		if c, err = gocvss31.ParseVector(vector); err == nil {
			out["version"], score = "3.1", c.BaseScore()
		}
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		var c *gocvss40.CVSS40
		if c, err = gocvss40.ParseVector(vector); err == nil {
			out["version"], score = "4.0", c.Score()
		}
	case strings.Contains(vector, "/PR:"):
		return cvss("CVSS:3.1/"+vector, given)
	default:
		vector = strings.TrimPrefix(strings.TrimPrefix(vector, "CVSS2#"), "CVSS:2.0/")
		var c *gocvss20.CVSS20
		if c, err = gocvss20.ParseVector(vector); err == nil {
			out["version"], score = "2.0", c.BaseScore()
		}
	}
	if err == nil {
		out["vector"], out["score"] = vector, score
	}
	if s, ok := given.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			given = f
		}
	}
	if f, ok := gojq.ToFloat64(given); ok && f > 0 && f <= 10 {
		out["score"] = f
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func lookup(_ any, a []any) any {
	f, ok := a[0].(*feed)
	if !ok || f.tables == nil || a[2] == nil {
		return nil
	}
	v, err := f.tables.get(textOf(a[1]), textOf(a[2]))
	if err != nil {
		return err
	}
	return v
}

func keysOf(_ any, a []any) any {
	f, ok := a[0].(*feed)
	if !ok || f.tables == nil {
		return []any{}
	}
	keys, err := f.tables.keys(textOf(a[1]))
	if err != nil {
		return err
	}
	return keys
}

func list(v any) any {
	switch v := v.(type) {
	case nil:
		return []any{}
	case []any:
		return v
	}
	return []any{v}
}

// textOf writes any value as text.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case *big.Int:
		return v.String()
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			if s := textOf(e); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if t, ok := v["#text"]; ok {
			return textOf(t)
		}
		for k := range v {
			if !strings.HasPrefix(k, "@") {
				b, err := gojq.Marshal(v)
				if err != nil {
					return ""
				}
				return string(b)
			}
		}
		return "" // an element with attributes only
	}
	return fmt.Sprint(v)
}

func tokey(s string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(s) {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		} else {
			dash = true
		}
	}
	return b.String()
}

func replace(v any, a []any) any {
	s, ok := v.(string)
	if !ok {
		if v == nil {
			return nil
		}
		return fmt.Errorf("replace: expected text, got %s", gojq.TypeOf(v))
	}
	from, to := textOf(a[0]), textOf(a[1])
	if from == "" {
		return s
	}
	if n := strings.Count(s, from); len(s)+n*(len(to)-len(from)) > 4<<20 {
		return errors.New("replace: the result is larger than 4 MB")
	}
	return strings.ReplaceAll(s, from, to)
}

func lines(s string) any {
	out := make([]any, 0, strings.Count(s, "\n")+1)
	for l := range strings.Lines(s) {
		out = append(out, strings.TrimRight(l, "\r\n"))
	}
	return out
}

// fold compares names without case, spaces, dashes and underscores.
func fold(s string) string {
	s = strings.ToLower(s)
	if !strings.ContainsAny(s, " _-.\t\u00a0") {
		return s
	}
	return strings.NewReplacer(" ", "", "_", "", "-", "", ".", "", "\t", "", "\u00a0", "").Replace(s)
}

func field(v any, a []any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	names, _ := a[0].([]any)
	for _, n := range names {
		name := textOf(n)
		if e, ok := m[name]; ok && e != nil && e != "" {
			return e
		}
	}
	for _, n := range names {
		want := fold(textOf(n))
		for k, e := range m {
			if fold(k) == want && e != nil && e != "" {
				return e
			}
		}
	}
	return nil
}

func cols(v any, a []any) any {
	if m, ok := v.(map[string]any); ok {
		v = m["header"]
	}
	header, _ := v.([]any)
	names, _ := a[0].([]any)
	have := make(map[string]bool, len(header))
	for _, h := range header {
		have[fold(textOf(h))] = true
	}
	for _, n := range names {
		if !have[fold(textOf(n))] {
			return false
		}
	}
	return true
}

func wholeNumber(v any) any {
	if s, ok := v.(string); ok {
		s = strings.TrimSpace(s)
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 {
			return nil
		}
		return int(f)
	}
	if n, ok := gojq.ToInt(v); ok {
		return n
	}
	return nil
}

func isBlank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func prune(v any) any {
	v, _ = pruned(v)
	return v
}

// pruned copies only what it changes.
func pruned(v any) (_ any, changed bool) {
	switch v := v.(type) {
	case map[string]any:
		out := v
		for k, e := range v {
			x, differs := pruned(e)
			gone := isBlank(x)
			if !differs && !gone {
				continue
			}
			if !changed {
				out, changed = maps.Clone(v), true
			}
			if gone {
				delete(out, k)
			} else {
				out[k] = x
			}
		}
		return out, changed
	case []any:
		out := v
		for i, e := range v {
			x, differs := pruned(e)
			gone := isBlank(x)
			if !changed && (differs || gone) {
				out, changed = append(make([]any, 0, len(v)), v[:i]...), true
			}
			if changed && !gone {
				out = append(out, x)
			}
		}
		return out, changed
	}
	return v, false
}

func hostOf(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		s = "//" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
