package filter

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sinewsec/sinew/internal/sinew"
)

func TestParse(t *testing.T) {
	term := func(field, op string, values ...string) Term { return Term{Field: field, Op: op, Values: values} }
	not := func(t Term) Term { t.Negated = true; return t }
	for _, tt := range []struct {
		name, in, out string // out: canonical text, "" when it is in
		want          []Term
	}{
		{name: "nothing", in: "", out: "", want: nil},
		{name: "only spaces", in: " \t\n", out: "", want: nil},
		{
			name: "the example of the plan",
			in:   "severity:critical is:open tool:trivy app:shop ref:main env:prod kev:true -owner:none",
			want: []Term{
				term("severity", "=", "critical"), term("is", "=", "open"), term("tool", "=", "trivy"),
				term("app", "=", "shop"), term("ref", "=", "main"), term("env", "=", "prod"),
				term("kev", "=", "true"), not(term("owner", "=", "none")),
			},
		},
		{name: "any of", in: "severity:critical,high", want: []Term{term("severity", "=", "critical", "high")}},
		{name: "repeated value", in: "severity:high,HIGH", out: "severity:high", want: []Term{term("severity", "=", "high")}},
		{name: "comparison", in: "severity:>=high line:>10", want: []Term{term("severity", ">=", "high"), term("line", ">", "10")}},
		{name: "age", in: "first:>7D", out: "first:>7d", want: []Term{term("first", ">", "7d")}},
		{name: "date", in: "since:2026-01", want: []Term{term("since", "=", "2026-01")}},
		{name: "time", in: "last:<=2026-01-31T15:04:05z", out: "last:<=2026-01-31T15:04:05Z", want: []Term{term("last", "<=", "2026-01-31T15:04:05Z")}},
		{name: "anywhere", in: "file:~util", want: []Term{term("file", "~", "util")}},
		{name: "free words", in: `sql  "a b",c -dead`, out: `sql "a b",c -dead`, want: []Term{term("text", "~", "sql"), term("text", "~", "a b", "c"), not(term("text", "~", "dead"))}},
		{name: "text spelled out", in: `text:x text:~y text:=z`, out: "x y z", want: []Term{term("text", "~", "x"), term("text", "~", "y"), term("text", "~", "z")}},
		{name: "alias and case", in: "SEV:High State:In-Progress", out: "severity:high is:in_progress", want: []Term{term("severity", "=", "high"), term("is", "=", "in_progress")}},
		{name: "colon in a value", in: "purl:pkg:npm/lodash@4.17.20 image:r.example.org:5000/a", want: []Term{term("purl", "=", "pkg:npm/lodash@4.17.20"), term("image", "=", "r.example.org:5000/a")}},
		{name: "quoted value", in: `rule:"a, \"b\" \\"`, want: []Term{term("rule", "=", `a, "b" \`)}},
		{name: "quotes that were not needed", in: `rule:"ab"`, out: "rule:ab", want: []Term{term("rule", "=", "ab")}},
		{name: "quoted comparison is none", in: `rule:">7d"`, want: []Term{term("rule", "=", ">7d")}},
		{name: "quoted colon is text", in: `"https://x"`, want: []Term{term("text", "~", "https://x")}},
		{name: "quoted dash is text", in: `"-x"`, want: []Term{term("text", "~", "-x")}},
		{name: "weakness", in: "cwe:CWE-79,089,none", out: "cwe:79,89,none", want: []Term{term("cwe", "=", "79", "89", "none")}},
		{name: "none where it is a name", in: "owner:None tool:none", out: "owner:none tool:none", want: []Term{term("owner", "=", "none"), term("tool", "=", "none")}},
		{name: "not ASCII", in: "app:größe ärger", want: []Term{term("app", "=", "größe"), term("text", "~", "ärger")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, q.Terms, cmpopts.IgnoreFields(Term{}, "Pos", "End")); diff != "" {
				t.Errorf("terms (-want +got):\n%s", diff)
			}
			want := tt.out
			if want == "" && len(tt.want) > 0 {
				want = tt.in
			}
			if got := q.String(); got != want {
				t.Errorf("String() = %s, want %s", got, want)
			}
			for _, term := range q.Terms {
				if again, err := Parse(tt.in[term.Pos:term.End]); err != nil || again.String() != term.String() {
					t.Errorf("[%d, %d) is %q, which is not the term %s", term.Pos, term.End, tt.in[term.Pos:term.End], term)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		mark     string // the part of in that the error is about
		want     string
	}{
		{"unknown field", "is:open severty:high", "severty", `filter, character 9: there is no field "severty" (did you mean severity: ?)`},
		{"unknown alias", "brunch:main", "brunch", `filter, character 1: there is no field "brunch" (did you mean branch: ?)`},
		{"address", "https://x", "https", `filter, character 1: there is no field "https" (to search for text with a colon in it, put it in quotes)`},
		{"no field before the colon", ":x", "", `filter, character 1: there is no field "" (to search for text with a colon in it, put it in quotes)`},
		{"character, not byte", "ärger severty:high", "severty", `filter, character 7: there is no field "severty" (did you mean severity: ?)`},
		{"unknown value", "severity:hihg", "hihg", `filter, character 10: "hihg" is no value of severity (did you mean severity:high ?)`},
		{"second value", "severity:high,urgent", "urgent", `filter, character 15: "urgent" is no value of severity (use critical, high, medium, low, info)`},
		{"empty value", "severity: is:open", "", "filter, character 10: a value is missing (for example severity:>=high)"},
		{"empty after comma", "tool:a,", "", "filter, character 8: a value is missing (for example tool:trivy,grype)"},
		{"empty quotes", `owner:""`, `""`, "filter, character 7: the quotes are empty (owner:none finds what has no owner)"},
		{"open quote", `tool:"a b`, `"a b`, "filter, character 6: the quote is never closed"},
		{"quote inside", `tool:a"b"`, `"`, `filter, character 7: there is a quote in the middle of a value (quote the whole value: tool:"...")`},
		{"text after quote", `"a"b`, `b`, "filter, character 4: after the closing quote comes a space, a comma or the end"},
		{"names do not compare", "tool:>a", ">", "filter, character 6: tool does not compare with > (for example tool:trivy,grype)"},
		{"states do not compare", "is:>=open", ">=", "filter, character 4: is does not compare with >= (for example is:open)"},
		{"weaknesses do not compare", "cwe:>79", ">", "filter, character 5: cwe does not compare with > (for example cwe:79,89)"},
		{"numbers contain nothing", "line:~1", "~", "filter, character 6: line takes no ~ (for example line:>10)"},
		{"comparison with two", "line:>1,2", "line:>1,", "filter, character 1: line with > takes one value"},
		{"no number", "line:ten", "ten", `filter, character 6: "ten" is no whole number (for example line:>10)`},
		{"negative number", "line:-1", "-1", `filter, character 6: "-1" is no whole number (for example line:>10)`},
		{"huge number", "line:99999999999999999999", "99999999999999999999", `filter, character 6: "99999999999999999999" is no whole number (for example line:>10)`},
		{"no date", "first:2026-02-30", "2026-02-30", `filter, character 7: "2026-02-30" is neither a date nor an age (write a date as 2026-01-31, 2026-01, 2026 or 2026-01-31T15:04:05Z, an age as 12h, 7d, 4w, 6mo or 1y)`},
		{"age without direction", "first:7d", "7d", "filter, character 7: an age needs a direction (first:>7d is longer ago than that, first:<7d is within it)"},
		{"lone dash", "is:open - x", "-", `filter, character 9: a single - must stand right before what it excludes (for example -tool:trivy, or "-" in quotes to find a dash)`},
		{"two dashes", "--tool:x", "-", `filter, character 1: a single - must stand right before what it excludes (for example -tool:trivy, or "-" in quotes to find a dash)`},
		{"not text", "a\xff", "a\xff", "filter, character 1: the filter is not UTF-8 text"},
		{"NUL", "a\x00", "a\x00", "filter, character 1: the filter is not UTF-8 text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := Parse(tt.in)
			if err == nil {
				t.Fatalf("parsed as %s, want an error", q)
			}
			if err.Error() != tt.want {
				t.Errorf("error = %s\n   want  %s", err, tt.want)
			}
			if sinew.CodeOf(err) != sinew.CodeInvalid {
				t.Errorf("code = %s", sinew.CodeOf(err))
			}
			pos, end, ok := Position(err)
			if !ok || tt.in[pos:end] != tt.mark {
				t.Errorf("position = %d, %d, %t, want that of %q", pos, end, ok, tt.mark)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	for name, in := range map[string]string{
		"length": strings.Repeat("a", maxLength+1),
		"terms":  strings.Repeat("a ", maxTerms+1),
		"values": "line:" + strings.Join(slices.Collect(func(yield func(string) bool) {
			for i := 0; i <= maxValues && yield(strconv.Itoa(i)); i++ {
			}
		}), ","),
	} {
		if q, err := Parse(in); err == nil {
			t.Errorf("%s: parsed %d terms, want an error", name, len(q.Terms))
		}
	}
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for in, want := range map[string][]Interval{
		"first:>7d":                   {{To: now.AddDate(0, 0, -7)}},
		"first:<24h":                  {{From: now.AddDate(0, 0, -1)}},
		"first:<=2w":                  {{From: now.AddDate(0, 0, -14)}},
		"first:2026":                  {{From: day(2026, 1, 1), To: day(2027, 1, 1)}},
		"first:2026-01,2026-02-28":    {{From: day(2026, 1, 1), To: day(2026, 2, 1)}, {From: day(2026, 2, 28), To: day(2026, 3, 1)}},
		"first:>2026-01-31":           {{From: day(2026, 2, 1)}},
		"first:>=2026-01-31":          {{From: day(2026, 1, 31)}},
		"first:<2026-01-31":           {{To: day(2026, 1, 31)}},
		"first:<=2026-01-31":          {{To: day(2026, 2, 1)}},
		"first:2026-01-31T01:00+":     nil,
		"first:2026-01-31T02:00:00Z":  {{From: day(2026, 1, 31).Add(2 * time.Hour), To: day(2026, 1, 31).Add(2*time.Hour + time.Microsecond)}},
		"last:>2026-01-31T02:00+0100": nil,
	} {
		q, err := Parse(in)
		if want == nil {
			if err == nil {
				t.Errorf("%s parsed as %s, want an error", in, q)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want, q.Terms[0].Times(now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestSeveritiesAndStates(t *testing.T) {
	for in, want := range map[string][]sinew.Severity{
		"severity:>=high":      {"critical", "high"},
		"severity:>high":       {"critical"},
		"severity:<=low":       {"low", "info"},
		"severity:<low":        {"info"},
		"severity:info,medium": {"medium", "info"},
		"severity:>critical":   nil,
	} {
		if got := must(t, in).Terms[0].Severities(); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", in, got, want)
		}
	}
	for in, want := range map[string]struct {
		states   []sinew.FindingState
		reopened bool
	}{
		"is:open":           {states: []sinew.FindingState{"open", "triaged", "in_progress", "not_observed", "scope_lost"}},
		"is:untriaged":      {states: []sinew.FindingState{"open"}},
		"is:closed":         {states: []sinew.FindingState{"fixed", "gone"}},
		"is:accepted":       {states: []sinew.FindingState{"accepted"}},
		"is:reopened":       {reopened: true},
		"is:reopened,fixed": {states: []sinew.FindingState{"fixed"}, reopened: true},
	} {
		states, reopened := must(t, in).Terms[0].States()
		if !slices.Equal(states, want.states) || reopened != want.reopened {
			t.Errorf("%s is %v, %t, want %v", in, states, reopened, want)
		}
	}
}

// TestWordsAreTheVocabularys keeps the lists here equal to the ones that
// findings are made of.
func TestWordsAreTheVocabularys(t *testing.T) {
	for _, s := range sinew.FindingStates {
		word := string(s)
		if s == sinew.StateOpen {
			word = "untriaged" // open is everything active
		}
		if states, _ := must(t, "is:"+word).Terms[0].States(); !slices.Equal(states, []sinew.FindingState{s}) {
			t.Errorf("is:%s finds %v", word, states)
		}
	}
	for _, c := range []sinew.Class{
		sinew.ClassCode, sinew.ClassDependency, sinew.ClassSecret, sinew.ClassResource, sinew.ClassWeb, sinew.ClassHost, sinew.ClassOther,
	} {
		must(t, "class:"+string(c))
	}
	for _, k := range []sinew.PlaceKind{
		sinew.PlaceDefault, sinew.PlaceRelease, sinew.PlaceBranch, sinew.PlaceChange, sinew.PlaceDeployed,
	} {
		must(t, "place:"+string(k))
	}
}

func TestNotesSayWhyNothingMatches(t *testing.T) {
	if notes := must(t, "is:open -kev:false").Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "-kev:false matches nothing") {
		t.Errorf("notes = %q", notes)
	}
	if notes := must(t, "is:open").Notes(); len(notes) != 0 {
		t.Errorf("notes = %q", notes)
	}
}

func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		name, in string // | is the cursor
		want     []string
	}{
		{"a field", "is:open sev|", []string{"is:open severity:|"}},
		{"in the middle", "is:open se| app:x", []string{"is:open severity:| app:x", "is:open service:| app:x"}},
		{"negated", "-ow|", []string{"-owner:|"}},
		{"a value", "severity:c|", []string{"severity:critical|"}},
		{"the rest of a value is replaced", "severity:c|low", []string{"severity:critical|"}},
		{"after a comma", "severity:critical,h|", []string{"severity:critical,high|"}},
		{"after a comparison", "severity:>=h|", []string{"severity:>=high|"}},
		{"in quotes", `severity:"hi|`, []string{`severity:high|`}},
		{"none", "owner:|", []string{"owner:none|"}},
		{"ages", "first:>|", []string{"first:<24h|", "first:<7d|", "first:>30d|", "first:>90d|"}},
		{"unknown field", "bogus:|", nil},
		{"inside quoted words", `"a sev|`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cursor := strings.IndexByte(tt.in, '|')
			s := strings.Replace(tt.in, "|", "", 1)
			var got []string
			for _, c := range Complete(s, cursor) {
				got = append(got, s[:c.Start]+c.Text+"|"+s[c.End:])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := len(Complete("", 0)); got != len(Fields())-1 {
		t.Errorf("an empty filter has %d suggestions, want every field but text", got)
	}
	at := At("is:open tool:trivy,gr", 21)
	if want := (Spot{Field: "tool", Prefix: "gr", Start: 19, End: 21}); at != want {
		t.Errorf("At = %+v, want %+v", at, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"severity:critical is:open tool:trivy app:shop ref:main env:prod kev:true -owner:none",
		`rule:"a, \"b\" \\" "x:y",z -w`, "first:>7d last:<=2026-01-31T15:04:05Z line:>10", "cwe:CWE-79,none", "text:=a,-b", "\u00a0a\u2028:b",
	} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cursor int) {
		for _, c := range Complete(s, cursor) {
			if c.Start < 0 || c.Start > c.End || c.End > len(s) || c.Text == "" {
				t.Errorf("Complete(%q, %d) = %+v, outside the text", s, cursor, c)
			}
		}
		q, err := Parse(s)
		if err != nil {
			pos, end, ok := Position(err)
			if !ok || pos < 0 || pos > end || end > len(s) {
				t.Errorf("error %v is at [%d, %d) of %d bytes", err, pos, end, len(s))
			}
			return
		}
		again, err := Parse(q.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, q, err)
		}
		if diff := cmp.Diff(q, again, cmpopts.IgnoreFields(Term{}, "Pos", "End"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q became %q (-first +again):\n%s", s, q, diff)
		}
		now := time.Unix(1770000000, 0)
		for _, term := range q.Terms {
			term.Severities()
			term.States()
			if f, _ := Lookup(term.Field); f.Kind == KindTime && len(term.Times(now)) != len(term.Values) {
				t.Errorf("%s has %d intervals", term, len(term.Times(now)))
			}
		}
	})
}

func must(t *testing.T, s string) *Query {
	t.Helper()
	q, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
