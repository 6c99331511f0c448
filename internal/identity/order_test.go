package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// ING4: ancestors, then time, then digest.
func TestOrder(t *testing.T) {
	item := func(stream string, at int64, commit string, ancestors ...string) Item {
		return Item{Stream: stream, At: at, Commit: commit, Ancestors: ancestors, Digest: [32]byte{byte(at)}}
	}
	tests := []struct {
		name  string
		items []Item
		want  string
	}{
		{"time", []Item{item("main", 3, ""), item("main", 1, ""), item("dev", 2, "")}, "1 2 0"},
		{"ancestry beats time", []Item{item("main", 1, "c2", "c1"), item("main", 2, "c1")}, "1 0"},
		{"ancestry of another stream says nothing", []Item{item("main", 1, "c2", "c1"), item("dev", 2, "c1")}, "0 1"},
		{"through a commit that nobody scanned", []Item{item("main", 1, "c3", "c2", "c1"), item("main", 5, "c1")}, "1 0"},
		{"a chain", []Item{item("main", 1, "c3", "c2"), item("main", 2, "c2", "c1"), item("main", 3, "c1")}, "2 1 0"},
		{"others go on while a descendant waits", []Item{item("main", 1, "c2", "c1"), item("main", 9, "c1"), item("main", 5, "")}, "2 1 0"},
		{"two scans of one commit", []Item{item("main", 4, "c1"), item("main", 1, "c2", "c1"), item("main", 2, "c1")}, "2 0 1"},
		{"a cycle: time decides", []Item{item("main", 2, "a", "b"), item("main", 1, "b", "a"), item("main", 3, "")}, "1 0 2"},
		{"a commit is no ancestor of itself", []Item{item("main", 1, "a", "a")}, "0"},
		{"digest decides at one time", []Item{{At: 1, Digest: [32]byte{2}}, {At: 1, Digest: [32]byte{1}}}, "1 0"},
		{"then the rest of what was told", []Item{{At: 1, Meta: 2, Seq: 1}, {At: 1, Meta: 1, Seq: 2}}, "1 0"},
		{"snapshots before events of the same time", []Item{{At: 1, Event: true}, {At: 1, Digest: [32]byte{1}}}, "1 0"},
		{"an event does not wait for commits", []Item{{At: 1, Event: true, Commit: "c2", Ancestors: []string{"c1"}}, item("", 2, "c1")}, "0 1"},
	}
	for _, tt := range tests {
		if got := strings.Trim(fmt.Sprint(Order(tt.items)), "[]"); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// ING4: the order is a function of the set, and keeps every ancestry that does not
// contradict itself.
func TestOrderProperties(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for round := range 1000 {
		n := 1 + r.IntN(25)
		cyclic := round%4 == 0
		items := make([]Item, n)
		for i := range items {
			items[i] = Item{At: int64(r.IntN(8)), Stream: fmt.Sprint(r.IntN(2)), Digest: [32]byte{byte(r.IntN(3))}, Meta: int64(r.IntN(2)), Seq: int64(i)}
			if r.IntN(4) > 0 {
				c := r.IntN(12)
				items[i].Commit = fmt.Sprint(c)
				for range r.IntN(4) {
					a := r.IntN(12)
					if !cyclic && c > 0 {
						a = r.IntN(c)
					} else if !cyclic {
						continue
					}
					items[i].Ancestors = append(items[i].Ancestors, fmt.Sprint(a))
				}
			}
		}
		order := func() []int64 {
			var seqs []int64
			for _, i := range Order(items) {
				seqs = append(seqs, items[i].Seq)
			}
			return seqs
		}
		want := order()
		if sorted := slices.Sorted(slices.Values(want)); len(sorted) != n || sorted[n-1] != int64(n-1) {
			t.Fatalf("round %d: not every item once: %v", round, want)
		}
		if !cyclic {
			at := map[int64]int{}
			for pos, seq := range want {
				at[seq] = pos
			}
			for _, d := range items {
				for _, a := range items {
					if a.Stream == d.Stream && d.Commit != "" && slices.Contains(d.Ancestors, a.Commit) && at[a.Seq] > at[d.Seq] {
						t.Fatalf("round %d: %v comes before its ancestor %v", round, d, a)
					}
				}
			}
		}
		for range 3 {
			r.Shuffle(n, func(i, j int) { items[i], items[j] = items[j], items[i] })
			if got := order(); !slices.Equal(got, want) {
				t.Fatalf("round %d: %v, then %v", round, want, got)
			}
		}
	}
}

func BenchmarkOrder(b *testing.B) {
	const n = 10_000
	items := make([]Item, n)
	for i := range items {
		items[i] = Item{At: int64(n - i), Stream: "main", Commit: fmt.Sprint("c", i), Seq: int64(i)}
		for j := i - 1; j >= 0 && j >= i-50; j-- {
			items[i].Ancestors = append(items[i].Ancestors, fmt.Sprint("c", j))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		Order(items)
	}
}
