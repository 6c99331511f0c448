package filter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// check brings a value into its canonical form, or says what is wrong with it.
func (p *parser) check(t *Term, f Field, v string, start int) (string, error) {
	if f.None && strings.EqualFold(v, none) && t.Op == "=" {
		return none, nil
	}
	switch f.Kind {
	case KindEnum:
		return p.checkEnum(f, v, start)
	case KindNumber:
		return p.checkNumber(f, v, start)
	case KindTime:
		return p.checkTime(t, f, v, start)
	case KindName, KindText:
		return v, nil
	}
	return v, nil
}

func (p *parser) checkEnum(f Field, v string, start int) (string, error) {
	word := strings.ReplaceAll(strings.ToLower(v), "-", "_")
	names := make([]string, len(f.Values))
	for i, known := range f.Values {
		if names[i] = known.Name; known.Name == word {
			return word, nil
		}
	}
	err := p.errorf(start, p.i, "%q is no value of %s", shorten(v), f.Name)
	if near, ok := nearest(word, names); ok {
		return "", err.Hint("did you mean %s:%s ?", f.Name, near)
	}
	return "", err.Hint("use %s", strings.Join(names, ", "))
}

func (p *parser) checkNumber(f Field, v string, start int) (string, error) {
	digits := v
	if f.Name == fieldCWE && len(v) > 4 && strings.EqualFold(v[:4], "cwe-") {
		digits = v[4:]
	}
	n, err := strconv.ParseInt(digits, 10, 63)
	if err != nil || n < 0 || strings.HasPrefix(digits, "+") {
		return "", p.errorf(start, p.i, "%q is no whole number", shorten(v)).Hint("for example %s", f.Example)
	}
	return strconv.FormatInt(n, 10), nil
}

func (p *parser) checkTime(t *Term, f Field, v string, start int) (string, error) {
	if _, ok := age(v); ok {
		if t.Op == "=" {
			return "", p.errorf(start, p.i, "an age needs a direction").
				Hint("%s:>%s is longer ago than that, %s:<%s is within it", f.Name, v, f.Name, v)
		}
		return strings.ToLower(v), nil
	}
	v = strings.ToUpper(v) // the T and Z of a time
	if _, _, ok := span(v); !ok {
		return "", p.errorf(start, p.i, "%q is neither a date nor an age", shorten(v)).
			Hint("write a date as 2026-01-31, 2026-01, 2026 or 2026-01-31T15:04:05Z, an age as 12h, 7d, 4w, 6mo or 1y")
	}
	return v, nil
}

var ageForm = regexp.MustCompile(`^([0-9]{1,5})(h|d|w|mo|y)$`)

// age reads 12h, 7d, 4w, 6mo (of 30 days) or 1y (of 365 days).
func age(v string) (time.Duration, bool) {
	m := ageForm.FindStringSubmatch(strings.ToLower(v))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, false
	}
	hours := map[string]int{"h": 1, "d": 24, "w": 7 * 24, "mo": 30 * 24, "y": 365 * 24}[m[2]]
	if n*hours > 200*365*24 {
		return 0, false
	}
	return time.Duration(n*hours) * time.Hour, true
}

// span gives the interval [from, to) that a date or time names, in UTC.
func span(v string) (from, to time.Time, ok bool) {
	for _, form := range []struct {
		layout string
		next   func(time.Time) time.Time
	}{
		{time.RFC3339Nano, func(t time.Time) time.Time { return t.Add(time.Microsecond) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	} {
		t, err := time.Parse(form.layout, v)
		if err == nil && t.Year() > 0 && t.Year() < 9999 {
			t = t.UTC().Truncate(time.Microsecond)
			return t, form.next(t), true
		}
	}
	return time.Time{}, time.Time{}, false
}

// Interval is a half-open range of time; a zero end is unbounded.
type Interval struct{ From, To time.Time }

// Times gives the intervals, any of which fulfils the term (before negation),
// for a field of kind [KindTime]. Ages are counted back from now: >7d is longer
// ago than seven days. A date with > is after its whole day, month or year.
func (t Term) Times(now time.Time) []Interval {
	out := make([]Interval, 0, len(t.Values))
	for _, v := range t.Values {
		if d, ok := age(v); ok {
			at := now.UTC().Add(-d).Truncate(time.Microsecond)
			switch t.Op {
			case ">", ">=":
				out = append(out, Interval{To: at})
			default:
				out = append(out, Interval{From: at})
			}
			continue
		}
		from, to, _ := span(v)
		out = append(out, map[string]Interval{
			"=": {From: from, To: to}, ">": {From: to}, ">=": {From: from}, "<": {To: from}, "<=": {To: to},
		}[t.Op])
	}
	return out
}

// Numbers gives the values of a field of kind [KindNumber]; the value none is
// left out.
func (t Term) Numbers() []int64 {
	out := make([]int64, 0, len(t.Values))
	for _, v := range t.Values {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// Severities gives the severities that fulfil a term of the field severity,
// before negation, worst first.
func (t Term) Severities() []sinew.Severity {
	var out []sinew.Severity
	for _, s := range sinew.Severities {
		if slices.ContainsFunc(t.Values, func(v string) bool { return ranks(s, t.Op, sinew.Severity(v)) }) {
			out = append(out, s)
		}
	}
	return out
}

func ranks(s sinew.Severity, op string, than sinew.Severity) bool {
	switch op {
	case ">":
		return s.Rank() > than.Rank()
	case ">=":
		return s.Rank() >= than.Rank()
	case "<":
		return s.Rank() < than.Rank()
	case "<=":
		return s.Rank() <= than.Rank()
	}
	return s == than
}

// States gives what fulfils a term of the field is, before negation: any of the
// states, or, where reopened is true, having been reopened.
func (t Term) States() (states []sinew.FindingState, reopened bool) {
	for _, s := range sinew.FindingStates {
		if slices.ContainsFunc(t.Values, func(v string) bool { return isState(v, s) }) {
			states = append(states, s)
		}
	}
	return states, slices.Contains(t.Values, "reopened")
}

func isState(word string, s sinew.FindingState) bool {
	switch word {
	case "open":
		return s.Active()
	case "untriaged":
		return s == sinew.StateOpen
	case "closed":
		return s == sinew.StateFixed || s == sinew.StateGone
	}
	return word == string(s)
}
