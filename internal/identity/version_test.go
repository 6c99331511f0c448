package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestCompareVersions: each line is versions of one ecosystem, oldest first.
func TestCompareVersions(t *testing.T) {
	for _, line := range []string{
		"npm: 1.0.0-alpha 1.0.0-alpha.1 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.2.9 1.2.10 2.0.0",
		"pypi: 1.0.dev1 1.0a1 1.0b2 1.0rc1 1.0 1.0.post1 1.1 2!0.1",
		"maven: 1.0-alpha-1 1.0-beta-1 1.0-milestone-1 1.0-rc-1 1.0-SNAPSHOT 1.0 1.0-sp 1.0.1 1.10 2.0",
		"golang: 0.0.0-20210101000000-aaaaaaaaaaaa 0.3.7 v0.3.8 1.2.3 go1.21.9 1.22.0",
		"cargo: 0.1.0 0.1.1 0.2.0-beta 0.2.0 1.0.0",
		"gem: 1.0.a 1.0 1.0.1 2.0.pre 2.0",
		"nuget: 1.0.0-beta 1.0.0 1.0.0.1 1.1",
		"composer: 1.0.0-beta1 1.0.0 v1.2.0 2.0",
		"deb: 1.0~rc1-1 1.0-1 1.0-1+deb11u1 1.0-1+deb11u2 1.0-1.1 1.0-2 1.0.1-1 1.1.1n-0+deb11u5 1.10-1 1:0.5-1 1:0.9-1",
		"rpm: 1.0~rc1-1 1.0-1.el8 1.0-1.el9 1.0-2.el8 1.0^git1-1 1.0.a-1 1.0.1-1 1.10-1 1:0.1-1",
		"apk: 1.2_alpha1 1.2_beta 1.2_pre2 1.2_rc1 1.2-r0 1.2-r1 1.2-r10 1.2_git1 1.2_p1 1.2a-r0 1.2.1-r0 1.10-r0",
		": 1.2.3 1.2.10 1.10.0 2",
		"generic: not-a-version 1.2.3",
	} {
		ecosystem, list, _ := strings.Cut(line, ":")
		versions := strings.Fields(list)
		for i := range versions {
			for j := range versions {
				if got, want := CompareVersions(ecosystem, versions[i], versions[j]), sign(i-j); sign(got) != want {
					t.Errorf("%s: %s and %s: %d, want %d", ecosystem, versions[i], versions[j], got, want)
				}
			}
		}
	}
	for _, same := range [][3]string{
		{"golang", "1.2.3", "v1.2.3"},
		{"deb", "0:1.0-1", "1.0-1"},
		{"deb", "1.0-01", "1.0-1"},
		{"rpm", "1.0-1.el8", "1.0"},
		{"rpm", "1.0.1", "1_0_1"},
		{"npm", "1.0.0", "v1.0.0"},
		{"pypi", "1.0", "1.0.0"},
	} {
		if CompareVersions(same[0], same[1], same[2]) != 0 {
			t.Errorf("%s: %s and %s differ", same[0], same[1], same[2])
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

// FuzzCompareVersions: whatever the texts, they have one order.
func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0-1", "1.0~rc1", "1.0^git")
	f.Add("", "a", "1:2:3-4-5")
	f.Add("1.2_rc1-r0", "1.2a", "_-r")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, ecosystem := range []string{"npm", "pypi", "maven", "golang", "deb", "rpm", "apk", "x"} {
			ab, ba, bc, ac := CompareVersions(ecosystem, a, b), CompareVersions(ecosystem, b, a), CompareVersions(ecosystem, b, c), CompareVersions(ecosystem, a, c)
			if sign(ab) != -sign(ba) {
				t.Errorf("%s: %q and %q: %d and %d", ecosystem, a, b, ab, ba)
			}
			if ab < 0 && bc < 0 && ac >= 0 {
				t.Errorf("%s: %q < %q < %q, and the first and last: %d", ecosystem, a, b, c, ac)
			}
		}
	})
}

// TestLeastUpgrade: the least version that closes all, or most (ING5).
func TestLeastUpgrade(t *testing.T) {
	repair := func(n int64, installed string, fixed ...string) Repair {
		return Repair{Installed: installed, Fixed: fixed, N: n}
	}
	for _, tt := range []struct {
		name, ecosystem string
		repairs         []Repair
		to              string
		closes, of      int64
		unfixed         int64
	}{
		{"nothing", "npm", nil, "", 0, 0, 0},
		{"no fix", "npm", []Repair{repair(2, "1.0.0")}, "", 0, 2, 2},
		{"the newest of them", "npm", []Repair{repair(1, "4.17.15", "4.17.19"), repair(2, "4.17.15", "4.17.21"), repair(1, "4.17.15", "4.17.9")}, "4.17.21", 3, 4, 0},
		{"numbers, not text", "npm", []Repair{repair(1, "1.2.0", "1.2.10"), repair(1, "1.2.0", "1.2.9")}, "1.2.10", 2, 2, 0},
		{"not all have a fix", "npm", []Repair{repair(3, "1.0.0", "1.0.1"), repair(1, "1.0.0")}, "1.0.1", 3, 4, 1},
		{"stays in its line", "npm", []Repair{repair(1, "2.1.0", "2.3.1", "3.0.2"), repair(1, "2.1.0", "2.3.5", "3.0.2")}, "2.3.5", 2, 2, 0},
		{"a line that is not cared for", "npm", []Repair{repair(1, "2.1.0", "2.3.1", "3.0.2"), repair(1, "2.1.0", "3.0.0")}, "3.0.2", 2, 2, 0},
		{"older than what is installed", "npm", []Repair{repair(1, "3.0.0", "2.3.1", "3.0.2")}, "3.0.2", 1, 1, 0},
		{"repaired before, and found", "npm", []Repair{repair(1, "3.0.0", "2.3.1"), repair(1, "3.0.0", "3.0.1")}, "3.0.1", 1, 2, 0},
		{"the first of equal ones", "npm", []Repair{repair(1, "1.0.0", "1.1.0"), repair(1, "1.0.0", "1.1.0-rc.1")}, "1.1.0", 2, 2, 0},
		{"Python", "pypi", []Repair{repair(1, "1.0rc1", "1.0"), repair(1, "1.0rc1", "1.0.post1"), repair(1, "1.0rc1", "1.0b1")}, "1.0.post1", 2, 3, 0},
		{"Django's lines", "pypi", []Repair{repair(1, "3.2.10", "2.2.28", "3.2.13", "4.0.4"), repair(1, "3.2.10", "3.2.15", "4.0.7")}, "3.2.15", 2, 2, 0},
		{"Maven", "maven", []Repair{repair(1, "2.14.0", "2.15.0", "2.12.2"), repair(1, "2.14.0", "2.17.1", "2.12.4", "2.3.2"), repair(1, "2.14.0", "2.16.0")}, "2.17.1", 3, 3, 0},
		{"Go", "golang", []Repair{repair(1, "v0.3.7", "0.3.8"), repair(1, "v0.3.7", "v0.4.0")}, "v0.4.0", 2, 2, 0},
		{"Go itself", "golang", []Repair{repair(1, "1.21.3", "1.21.9", "1.22.2"), repair(1, "1.21.3", "1.21.11", "1.22.4")}, "1.21.11", 2, 2, 0},
		{"Debian", "deb", []Repair{repair(1, "1.1.1n-0+deb11u3", "1.1.1n-0+deb11u5"), repair(1, "1.1.1n-0+deb11u3", "1.1.1n-0+deb11u4")}, "1.1.1n-0+deb11u5", 2, 2, 0},
		{"two versions installed", "npm", []Repair{repair(1, "1.0.0", "1.0.1", "2.0.1"), repair(1, "2.0.0", "1.0.1", "2.0.1")}, "2.0.1", 2, 2, 0},
		{"no version told", "npm", []Repair{repair(1, "", "1.0.1")}, "1.0.1", 1, 1, 0},
		{"empty texts", "npm", []Repair{repair(1, "1.0.0", "", "1.0.1")}, "1.0.1", 1, 1, 0},
	} {
		got := LeastUpgrade(tt.ecosystem, tt.repairs)
		if got.To != tt.to || got.Closes != tt.closes || got.Of != tt.of || got.Unfixed != tt.unfixed {
			t.Errorf("%s: %+v, want %s for %d of %d, %d without", tt.name, got, tt.to, tt.closes, tt.of, tt.unfixed)
		}
	}
	by := UpgradesByVersion("npm", []Repair{repair(1, "10.0.0", "10.0.1"), repair(2, "9.0.0", "9.0.1", "10.0.1")})
	if want := []sinew.InstalledVersion{{Version: "9.0.0", To: "9.0.1", Closes: 2, Of: 2}, {Version: "10.0.0", To: "10.0.1", Closes: 1, Of: 1}}; !slices.Equal(by, want) {
		t.Errorf("by version: %+v", by)
	}
}

// TestLeastUpgradeIsLeast compares with what trying every version says: no other
// closes more, and none that closes as many is older.
func TestLeastUpgradeIsLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) // the same worlds each time
	kinds := map[string]func() string{
		"npm":    func() string { return fmt.Sprintf("%d.%d.%d", rng.IntN(4), rng.IntN(3), rng.IntN(12)) },
		"pypi":   func() string { return fmt.Sprintf("%d.%d", rng.IntN(4), rng.IntN(12)) },
		"maven":  func() string { return fmt.Sprintf("%d.%d.%d", rng.IntN(3), rng.IntN(3), rng.IntN(12)) },
		"golang": func() string { return fmt.Sprintf("v%d.%d.%d", rng.IntN(2), rng.IntN(3), rng.IntN(12)) },
		"deb":    func() string { return fmt.Sprintf("%d:%d.%d-%d", rng.IntN(2), rng.IntN(3), rng.IntN(3), rng.IntN(12)) },
	}
	for ecosystem, make := range kinds {
		for range 300 {
			var repairs []Repair
			var all []string
			for range 1 + rng.IntN(6) {
				r := Repair{Installed: make(), N: 1 + rng.Int64N(3)}
				for range rng.IntN(4) {
					r.Fixed = append(r.Fixed, make())
				}
				repairs, all = append(repairs, r), append(all, r.Fixed...)
			}
			got := LeastUpgrade(ecosystem, repairs)
			for _, v := range all {
				n := closedBy(ecosystem, v, repairs)
				if v == got.To && n != got.Closes {
					t.Fatalf("%s %+v: %+v, and %s closes %d", ecosystem, repairs, got, v, n)
				}
				if n > got.Closes || n == got.Closes && n > 0 && CompareVersions(ecosystem, v, got.To) < 0 {
					t.Fatalf("%s %+v: %+v, and %s closes %d", ecosystem, repairs, got, v, n)
				}
			}
		}
	}
}

// closedBy says by the words of LeastUpgrade how many findings a version closes.
func closedBy(ecosystem, v string, repairs []Repair) (n int64) {
	numbers := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	}
	for _, r := range repairs {
		if CompareVersions(ecosystem, v, r.Installed) <= 0 {
			continue
		}
		if !slices.ContainsFunc(r.Fixed, func(f string) bool { return CompareVersions(ecosystem, f, r.Installed) > 0 }) {
			continue
		}
		older, newer := "", ""
		for _, f := range r.Fixed {
			switch c := CompareVersions(ecosystem, f, v); {
			case c <= 0 && (older == "" || CompareVersions(ecosystem, f, older) > 0):
				older = f
			case c > 0 && (newer == "" || CompareVersions(ecosystem, f, newer) < 0):
				newer = f
			}
		}
		closes := older != "" && (newer == "" || CompareVersions(ecosystem, older, v) == 0)
		if older != "" && !closes {
			a, b, c := numbers(v), numbers(older), numbers(newer)
			for i := range b {
				if i >= len(a) || a[i] != b[i] {
					break
				}
				if i >= len(c) || b[i] != c[i] {
					closes = true
					break
				}
			}
		}
		if closes {
			n += r.N
		}
	}
	return n
}

// TestSpotRepairs: what root causes need comes back from a finding's row.
func TestSpotRepairs(t *testing.T) {
	o := sinew.Observation{
		Image: "r/x:1", Extra: map[string]any{"os": "debian 12.1"},
		Package: &sinew.Package{Name: "zlib", PURL: "pkg:deb/debian/zlib@1", Fixed: []string{"1.2, or so", "", " 2.0 "}},
	}
	fixed, base := SpotRepairs(Spot(&o))
	if strings.Join(fixed, "|") != "1.2  or so|2.0" || base != "debian 12.1" {
		t.Errorf("%q and %q", fixed, base)
	}
	o.Extra["base_image"] = "debian:12-slim"
	o.Package.Fixed = slices.Repeat([]string{strings.Repeat("1", 30)}, 100)
	if fixed, base = SpotRepairs(Spot(&o)); len(fixed) != 12 || base != "debian:12-slim" {
		t.Errorf("%d versions and %q", len(fixed), base)
	}
	if fixed, base = SpotRepairs(Spot(&sinew.Observation{File: "a", Symbol: "f"})); fixed != nil || base != "" {
		t.Errorf("%q and %q of none", fixed, base)
	}
}
