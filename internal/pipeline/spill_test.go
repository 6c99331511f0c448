package pipeline

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sinewsec/sinew/internal/identity"
)

// TestSpill has rows that do not fit in memory come back as they were, in order and
// singly.
func TestSpill(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, spillRows - 1, spillRows, 2*spillRows + 77} {
		rnd := rand.New(rand.NewPCG(uint64(n), 5))
		f := newPriorFile(t.TempDir())
		defer f.close()
		want := make([]identity.Prior, n)
		for i := range want {
			want[i] = identity.Prior{ID: rnd.Int64(), Closed: i%3 == 0, Keys: identity.Keys{
				Tool: -rnd.Int64(), Content: rnd.Int64(), Place: rnd.Int64(), Moved: rnd.Int64(), Near: -rnd.Int64(),
				Line: rnd.Int32() - rnd.Int32(), Text: rnd.Uint32(),
			}}
			if err := f.add(want[i]); err != nil {
				t.Fatal(err)
			}
		}
		if f.Len() != n || (f.spool != nil) != (n >= spillRows) {
			t.Errorf("%d rows: it has %d, in a file: %v", n, f.Len(), f.spool != nil)
		}
		for range 2 {
			var got []identity.Prior
			if err := f.Each(func(i int32, p *identity.Prior) error {
				if int(i) != len(got) {
					t.Fatalf("row %d comes after %d", i, len(got))
				}
				got = append(got, *p)
				return nil
			}); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d rows came back as others: %v", n, err)
			}
			for k := range min(n, 500) {
				i := []int{rnd.IntN(n), n - 1, k}[k%3]
				if p, err := f.Get(int32(i)); err != nil || p != want[i] {
					t.Fatalf("row %d of %d: %+v %v", i, n, p, err)
				}
			}
		}
	}
}

// TestSpilledMatch: where the rows lie changes nothing of what they are matched to.
func TestSpilledMatch(t *testing.T) {
	t.Parallel()
	const n = spillRows + 5000
	prior, next := newPriorFile(t.TempDir()), newKeysFile(t.TempDir())
	defer prior.close()
	defer next.close()
	var priors []identity.Prior
	var keys []identity.Keys
	rnd := rand.New(rand.NewPCG(1, 7))
	for i := range n {
		k := identity.Keys{
			Tool: rnd.Int64N(2) * rnd.Int64N(n), Content: rnd.Int64N(n), Place: rnd.Int64N(n / 3), Near: rnd.Int64N(n / 20),
			Line: rnd.Int32N(300), Text: rnd.Uint32N(9),
		}
		p := identity.Prior{ID: int64(i), Keys: k, Closed: rnd.IntN(9) == 0}
		if rnd.IntN(3) == 0 {
			k.Line += rnd.Int32N(40)
			k.Tool, k.Content = 0, rnd.Int64N(n)
		}
		priors, keys = append(priors, p), append(keys, k)
		if err := prior.add(p); err != nil {
			t.Fatal(err)
		}
		if err := next.add(k); err != nil {
			t.Fatal(err)
		}
	}
	want := identity.Match(priors, keys)
	got := identity.NewPairs(n)
	found, err := identity.MatchRows(prior, next, got)
	if err != nil || !slices.Equal(got, want) || found == 0 {
		t.Errorf("%d found, %v; the pairs are the same: %v", found, err, slices.Equal(got, want))
	}
}
