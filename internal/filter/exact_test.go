package filter

import "testing"

// TestExact: == takes every name to the letter, and is written so that it is read
// again as it was.
func TestExact(t *testing.T) {
	for _, value := range []string{"", " ", "none", "a*", "a b, c", `say "no"`, `back\`, "-x", "==", "=x", "~x", ">=high", "a:b", "ünï"} {
		q := &Query{Terms: []Term{{Field: "rule", Op: "==", Values: []string{value}}}}
		got, err := Parse(q.String())
		if err != nil || len(got.Terms) != 1 || got.Terms[0].Op != "==" || len(got.Terms[0].Values) != 1 || got.Terms[0].Values[0] != value {
			t.Errorf("%q is written %s and read %+v (%v)", value, q, got, err)
		}
	}
	for _, bad := range []string{"severity:==high", "line:==3", "first:==2026", "id:==CVE-1", "rule:==", `rule:=""`} {
		if q, err := Parse(bad); err == nil {
			t.Errorf("%s is read as %+v", bad, q)
		}
	}
}
