package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// row writes a matching row as text: "12 T1 C2 P3 M4 N5 #6" is line 12 with the keys
// 1 to 5 and the text 6; "x" at the end of a prior marks it closed.
func row(t *testing.T, s string) (k Keys, isClosed bool) {
	t.Helper()
	for f := range strings.FieldsSeq(s) {
		var n int64
		if _, err := fmt.Sscan(strings.TrimLeft(f, "TCPMN#x"), &n); err != nil && f != "x" {
			t.Fatalf("%q: %v", f, err)
		}
		switch f[0] {
		case 'T':
			k.Tool = n
		case 'C':
			k.Content = n
		case 'P':
			k.Place = n
		case 'M':
			k.Moved = n
		case 'N':
			k.Near = n
		case '#':
			k.Text = uint32(n)
		case 'x':
			isClosed = true
		default:
			k.Line = int32(n)
		}
	}
	return k, isClosed
}

// ING4: one to one, strongest pass first, never first come.
func TestMatch(t *testing.T) {
	tests := []struct {
		name  string
		prior []string
		next  []string
		want  string // for each of next: index of the prior and pass, or new
	}{
		{"nothing before", nil, []string{"1 C1"}, "new"},
		{"unchanged", []string{"1 C1 N9 #5"}, []string{"1 C1 N9 #5"}, "0 unchanged"},
		{"line shift", []string{"1 C1 N9"}, []string{"7 C1 N9"}, "0 content"},
		{"tool id beats content", []string{"1 T1 C1", "2 T2 C2"}, []string{"1 T2 C1", "2 T1 C2"}, "1 tool, 0 tool"},
		{"content beats place", []string{"1 C1 P1", "2 C2 P1"}, []string{"3 C2 P1", "9 C3 P1"}, "1 content, 0 place"},
		{"a pass takes out of later ones", []string{"1 C1 M1"}, []string{"1 C1 M1", "1 C2 M1"}, "0 content, new"},
		{"moved", []string{"1 C1 M1 N1"}, []string{"1 C2 M1 N2"}, "0 moved"},
		{"near", []string{"10 N1"}, []string{"30 N1"}, "0 near"},
		{"no key, no match", []string{"10"}, []string{"10"}, "new"},

		{
			"N equal rows in N places stay N",
			[]string{"10 C1 N1", "20 C1 N1", "30 C1 N1"},
			[]string{"12 C1 N1", "22 C1 N1", "32 C1 N1"},
			"0 content, 1 content, 2 content",
		},
		{"N equal rows and one more", []string{"10 C1", "20 C1"}, []string{"10 C1", "15 C1", "20 C1"}, "0 content, new, 1 content"},
		{"N equal rows and one less", []string{"10 C1", "20 C1", "30 C1"}, []string{"10 C1", "30 C1"}, "0 content, 2 content"},
		{"the same row twice", []string{"10 C1 #7", "10 C1 #7"}, []string{"10 C1 #7", "10 C1 #7"}, "0 unchanged, 1 unchanged"},
		{"the same row, one fixed", []string{"10 C1 #7", "10 C1 #7"}, []string{"10 C1 #7"}, "0 unchanged"},
		{"weaker keys decide within a pass", []string{"10 T1 P1", "20 T1 P2"}, []string{"10 T1 P2", "20 T1 P1"}, "1 tool, 0 tool"},
		{"an id that several have is none", []string{"10 T1 N1", "20 T1 C2 N1"}, []string{"10 T1 C2 N1", "900 T1 C3 N3"}, "1 tool, new"},
		{"an id of one that is there and one that is closed", []string{"10 T1 N1", "30 T1 N2 x"}, []string{"12 T1 C3 N2"}, "1 tool"},
		{"then the nearest line", []string{"10 C1", "50 C1"}, []string{"45 C1"}, "1 content"},
		{
			"a shift of all keeps the order",
			[]string{"10 C1", "20 C1", "30 C1"},
			[]string{"20 C1", "30 C1", "40 C1"},
			"0 content, 1 content, 2 content",
		},

		{"near: equal counts pair in order, however far", []string{"10 N1", "20 N1"}, []string{"210 N1", "220 N1"}, "0 near, 1 near"},
		{"near: unequal counts only nearby", []string{"10 N1", "200 N1"}, []string{"15 N1", "100 N1", "251 N1"}, "0 near, new, new"},
		{"near: 50 lines are near", []string{"10 N1", "200 N1"}, []string{"60 N1"}, "0 near"},
		{"near: contents that differ pair nearby only", []string{"10 C1 N1"}, []string{"900 C2 N1"}, "new"},
		{"near: contents that differ, nearby", []string{"10 C1 N1"}, []string{"12 C2 N1"}, "0 near"},
		{"near: no line is near no line only", []string{"0 C1 N1", "0 C5 N1"}, []string{"30 C2 N1"}, "new"},
		{"near: the nearest first, not the first", []string{"10 N1", "14 N1"}, []string{"13 N1"}, "1 near"},

		{"those that are there before closed ones", []string{"10 C1 x", "90 C1"}, []string{"10 C1"}, "1 content"},
		{"closed ones after all", []string{"10 C1 x", "90 C1"}, []string{"10 C1", "91 C1"}, "0 content, 1 content"},
		{"a closed one by a stronger pass", []string{"10 T1 C1 x", "12 C2 N1"}, []string{"11 T1 C1 N1"}, "0 tool"},
		{"a closed one is never unchanged", []string{"10 C1 #7 x"}, []string{"10 C1 #7"}, "0 content"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var prior []Prior
			for i, s := range tt.prior {
				k, isClosed := row(t, s)
				prior = append(prior, Prior{ID: int64(i + 1), Keys: k, Closed: isClosed})
			}
			var next []Keys
			for _, s := range tt.next {
				k, _ := row(t, s)
				next = append(next, k)
			}
			var got []string
			for _, p := range Match(prior, next) {
				if p.Prior < 0 {
					got = append(got, p.Pass.String())
				} else {
					got = append(got, fmt.Sprintf("%d %s", p.Prior, p.Pass))
				}
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestMatchSiblings(t *testing.T) {
	next := []Keys{{Content: 1, Line: 1}, {Content: 2, Line: 2}, {Content: 3, Line: 3}}
	pairs := Match([]Prior{{ID: 1, Keys: Keys{Content: 1}}}, next)
	n := MatchSiblings([]Prior{{ID: 2, Keys: Keys{Content: 1}}, {ID: 3, Keys: Keys{Content: 3, Line: 9}}}, next, pairs)
	want := []Pair{{0, PassContent}, {-1, PassNew}, {1, PassContent | PassSibling}}
	if n != 1 || !slices.Equal(pairs, want) {
		t.Errorf("%d found, %v, want 1, %v", n, pairs, want)
	}
}

// world makes random rows with few different keys, so that groups are large and
// passes disagree.
func world(r *rand.Rand, n int) []Keys {
	rows := make([]Keys, n)
	some := func(of int) int64 { return int64(r.IntN(of)) }
	for i := range rows {
		rows[i] = Keys{
			Tool: some(3) * some(n), Content: some(n/2 + 2), Place: some(n/3 + 2), Moved: some(n/3 + 2), Near: some(4),
			Line: int32(r.IntN(200)), Text: uint32(r.IntN(3)),
		}
		if r.IntN(3) == 0 && i > 0 {
			rows[i] = rows[r.IntN(i)] // an exact twin
		}
	}
	return rows
}

// mutate shifts, edits, drops and adds rows.
func mutate(r *rand.Rand, rows []Keys) []Keys {
	var out []Keys
	for _, k := range rows {
		switch r.IntN(6) {
		case 0:
			continue
		case 1:
			k.Line += int32(r.IntN(80))
			k.Text++
		case 2:
			k.Content, k.Text = int64(r.IntN(9)), k.Text+1
		case 3:
			k.Tool = 0
		}
		out = append(out, k)
	}
	return append(out, world(r, r.IntN(4)+1)...)
}

// described tells a result without indices: which finding became which row.
func described(prior []Prior, next []Keys, pairs []Pair) []string {
	var s []string
	for i, p := range pairs {
		id := int64(0)
		if p.Prior >= 0 {
			id = prior[p.Prior].ID
		}
		s = append(s, fmt.Sprintf("%d %v %v", id, p.Pass, next[i]))
	}
	slices.Sort(s)
	return s
}

// ING4: the order of neither side matters, nothing is used twice, and no pass pairs
// what does not agree in it.
func TestMatchProperties(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 2000 {
		base := world(r, 2+r.IntN(30))
		next := mutate(r, base)
		var prior []Prior
		for i, k := range base {
			prior = append(prior, Prior{ID: int64(i + 1), Keys: k, Closed: r.IntN(5) == 0})
		}
		pairs := Match(prior, next)
		used := map[int32]bool{}
		for i, p := range pairs {
			if p.Prior < 0 {
				if p.Pass != PassNew {
					t.Fatalf("round %d: row %d is new by pass %s", round, i, p.Pass)
				}
				continue
			}
			if used[p.Prior] {
				t.Fatalf("round %d: prior %d has two rows", round, p.Prior)
			}
			used[p.Prior] = true
			if p.Pass == PassUnchanged {
				if prior[p.Prior].Keys != next[i] {
					t.Fatalf("round %d: %v is no unchanged %v", round, next[i], prior[p.Prior].Keys)
				}
				continue
			}
			level := int(p.Pass - PassTool)
			if k := next[i].level(level); k == 0 || k != prior[p.Prior].level(level) {
				t.Fatalf("round %d: pass %s pairs %v with %v", round, p.Pass, prior[p.Prior], next[i])
			}
		}
		// Whatever agrees in a pass before the last finds a partner while there is one.
		for level := levelContent; level < levelNear; level++ {
			free := map[int64]bool{}
			for i := range prior {
				if !used[int32(i)] {
					free[prior[i].level(level)] = true
				}
			}
			for i, p := range pairs {
				if k := next[i].level(level); p.Prior < 0 && k != 0 && free[k] {
					t.Fatalf("round %d: row %v is new, though a prior with its key %d is free", round, next[i], level)
				}
			}
		}
		parted := NewPairs(len(next))
		j := newJoiner(Slice[Prior](prior), Slice[Keys](next), parted, 0)
		j.limit = 1 + r.IntN(5)
		if _, err := j.run(); err != nil || !slices.Equal(parted, pairs) {
			t.Fatalf("round %d: in parts of %d rows: %v\n%v\n%v", round, j.limit, err, pairs, parted)
		}
		want := described(prior, next, pairs)
		p2, n2 := slices.Clone(prior), slices.Clone(next)
		r.Shuffle(len(p2), func(i, j int) { p2[i], p2[j] = p2[j], p2[i] })
		r.Shuffle(len(n2), func(i, j int) { n2[i], n2[j] = n2[j], n2[i] })
		if got := described(p2, n2, Match(p2, n2)); !slices.Equal(got, want) {
			t.Fatalf("round %d: order matters\n%s\n%s", round, strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	}
}

// ING4: a repeated report changes nothing, twins included.
func TestMatchIsIdempotent(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 500 {
		rows := world(r, 1+r.IntN(40))
		var prior []Prior
		for i := range rows {
			rows[i].Text |= 1
			prior = append(prior, Prior{ID: int64(i + 1), Keys: rows[i]})
		}
		for i, p := range Match(prior, rows) {
			if p.Pass != PassUnchanged || prior[p.Prior].Keys != rows[i] {
				t.Fatalf("row %v: %v", rows[i], p)
			}
		}
	}
}

// TestMatchLargeGroups holds the time for a report that is one large group: all of
// one rule in one minified file.
func TestMatchLargeGroups(t *testing.T) {
	const n = 200_000
	prior, next := make([]Prior, n), make([]Keys, n-1000)
	for i := range prior {
		prior[i] = Prior{ID: int64(i + 1), Keys: Keys{Tool: 1, Content: 2, Place: 3, Moved: 4, Near: 5, Line: 1}}
	}
	for i := range next {
		next[i] = Keys{Tool: 1, Content: 2, Place: 3, Moved: 4, Near: 5, Line: int32(2 + i%7)}
	}
	start := time.Now()
	pairs := Match(prior, next)
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if i := slices.IndexFunc(pairs, func(p Pair) bool { return p.Prior < 0 }); i >= 0 {
		t.Errorf("row %d found no partner", i)
	}
}

// benchObservation is a typical row of a SAST report, or for every third one of SCA.
func benchObservation(i int) sinew.Observation {
	if i%3 == 0 {
		return sinew.Observation{
			Tool: "trivy", Rule: fmt.Sprintf("CVE-2024-%d", i%40_000), Title: "a library: something bad can happen", Severity: sinew.SeverityHigh,
			IDs: []string{fmt.Sprintf("CVE-2024-%d", i%40_000)}, Description: strings.Repeat("text of the advisory ", 20),
			Package: &sinew.Package{
				Name: fmt.Sprintf("lib%d", i), Version: "1.2.3", PURL: fmt.Sprintf("pkg:npm/lib%d@1.2.3", i), Path: "web/package-lock.json",
			},
		}
	}
	return sinew.Observation{
		Tool: "semgrep", Rule: fmt.Sprintf("go.lang.security.rule-%d", i%300), Title: "Something is wrong here", Severity: sinew.SeverityMedium,
		File: fmt.Sprintf("services/part%d/internal/pkg%d/file%d.go", i%17, i%301, i%4001), Line: i%900 + 1, EndLine: i%900 + 3,
		Symbol:      fmt.Sprintf("pkg%d.Func%d", i%301, i%7001),
		Snippet:     fmt.Sprintf("\tresult, err := client.Query(ctx, \"select a, b, c from t%d where id = \" + id)\n\tif err != nil {\n\t\treturn err\n\t}", i),
		Description: strings.Repeat("what it means and what to do ", 10), CWE: []int{89}, Refs: []string{"https://example.org/rule"},
		Fingerprints: map[string]string{"matchBasedId/v1": fmt.Sprintf("f%d", i)},
	}
}

func BenchmarkKeysOf(b *testing.B) {
	rows := make([]sinew.Observation, 1000)
	for i := range rows {
		rows[i] = benchObservation(i)
	}
	b.ReportAllocs()
	i := 0
	var h Hasher
	for b.Loop() {
		h.Hash(&rows[i%len(rows)])
		i++
	}
}

func benchMatch(b *testing.B, n int, edit func(k *Keys, i int)) {
	prior, next := make([]Prior, n), make([]Keys, n)
	for i := range prior {
		o := benchObservation(i)
		k := KeysOf(&o)
		prior[i] = Prior{ID: int64(i + 1), Keys: k}
		edit(&k, i)
		next[n-1-i] = k
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		Match(prior, next)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("unchanged/%d", n), func(b *testing.B) { benchMatch(b, n, func(*Keys, int) {}) })
		b.Run(fmt.Sprintf("shifted/%d", n), func(b *testing.B) {
			benchMatch(b, n, func(k *Keys, _ int) { k.Line += 3; k.Text++; k.Tool = 0 })
		})
		b.Run(fmt.Sprintf("replaced/%d", n), func(b *testing.B) {
			benchMatch(b, n, func(k *Keys, i int) {
				*k = Keys{Tool: -int64(i) - 1, Content: -int64(i) - 1, Near: -int64(i) - 1, Text: 1}
			})
		})
	}
}
