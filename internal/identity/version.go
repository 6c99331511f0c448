package identity

import (
	"cmp"
	"strings"

	"deps.dev/util/semver"
)

// CompareVersions orders two versions of a package by the rules of its ecosystem,
// the type of its package URL. It is an order of all texts: what is no version
// there comes before those that are, and versions of ecosystems that we know
// nothing of are compared as [semantic versions], else number by number.
//
// [semantic versions]: https://semver.org
func CompareVersions(ecosystem, a, b string) int {
	return parseVersion(ecosystem, a).compare(parseVersion(ecosystem, b))
}

// systems are the ecosystems whose order the library knows.
var systems = map[string]semver.System{
	"npm": semver.NPM, "pypi": semver.PyPI, "maven": semver.Maven, "golang": semver.Go, "cargo": semver.Cargo,
	"nuget": semver.NuGet, "gem": semver.RubyGems, "composer": semver.Composer,
}

// version is a version that was read once, to be compared often.
type version struct {
	text    string
	parsed  *semver.Version // nil where the text is compared by order
	order   func(a, b string) int
	invalid bool
}

func parseVersion(ecosystem, text string) version {
	text = strings.TrimSpace(text)
	v := version{text: text, order: compareRuns}
	switch ecosystem {
	case "deb":
		v.order = compareDebian
		return v
	case "rpm", "alpm":
		v.order = compareRPM
		return v
	case "apk":
		v.order = compareAlpine
		return v
	case "golang":
		// Reports leave the v out, and write the version of Go itself as go1.2.3.
		text = "v" + strings.TrimPrefix(strings.TrimPrefix(text, "go"), "v")
	}
	system, known := systems[ecosystem]
	if !known {
		system = semver.DefaultSystem
	}
	if !looksLikeVersion(text) {
		v.invalid = true // some systems take any text, and have no order of it
		return v
	}
	parsed, err := system.Parse(text)
	if err != nil {
		v.invalid = true
		return v
	}
	v.parsed = parsed
	return v
}

// looksLikeVersion reports whether a text begins with a number, perhaps after a v.
func looksLikeVersion(s string) bool {
	s = strings.TrimPrefix(s, "v")
	return s != "" && isDigit(s[0])
}

func (v version) compare(w version) int {
	switch {
	case v.parsed != nil && w.parsed != nil:
		return v.parsed.Compare(w.parsed)
	case v.invalid != w.invalid:
		if v.invalid {
			return -1
		}
		return 1
	}
	return v.order(v.text, w.text)
}

// compareRuns compares number by number and word by word.
func compareRuns(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = cutWhile(a, isNotDigit)
		y, b = cutWhile(b, isNotDigit)
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		x, a = cutWhile(a, isDigit)
		y, b = cutWhile(b, isDigit)
		if c := compareDigits(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// compareDebian is the order of deb-version(7): epoch, upstream version, revision.
func compareDebian(a, b string) int {
	epochA, a := cutEpoch(a)
	epochB, b := cutEpoch(b)
	upA, revA := cutLast(a)
	upB, revB := cutLast(b)
	return cmp.Or(compareDigits(epochA, epochB), compareDebianPart(upA, upB), compareDebianPart(revA, revB))
}

func compareDebianPart(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = cutWhile(a, isNotDigit)
		y, b = cutWhile(b, isNotDigit)
		for i := range max(len(x), len(y)) {
			if c := cmp.Compare(debianOrder(x, i), debianOrder(y, i)); c != 0 {
				return c
			}
		}
		x, a = cutWhile(a, isDigit)
		y, b = cutWhile(b, isDigit)
		if c := compareDigits(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// debianOrder: a tilde comes before the end, the end before letters, letters
// before everything else.
func debianOrder(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case isLetter(s[i]):
		return int(s[i])
	}
	return int(s[i]) + 256
}

// compareRPM is the order of rpm: epoch, version, release, each as rpmvercmp does.
func compareRPM(a, b string) int {
	epochA, a := cutEpoch(a)
	epochB, b := cutEpoch(b)
	verA, relA := cutLast(a)
	verB, relB := cutLast(b)
	if c := cmp.Or(compareDigits(epochA, epochB), compareRPMPart(verA, verB)); c != 0 || relA == "" || relB == "" {
		return c // reports may leave the release out
	}
	return compareRPMPart(relA, relB)
}

func compareRPMPart(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, isRPMSeparator), strings.TrimLeftFunc(b, isRPMSeparator)
		tildeA, tildeB := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
		caretA, caretB := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
		switch {
		case tildeA && tildeB, caretA && caretB:
			a, b = a[1:], b[1:]
			continue
		case tildeA, caretB && a == "", caretA && b != "" && !tildeB: // a tilde comes before the end, a caret after it and before all else
			return -1
		case tildeB, caretA, caretB:
			return 1
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		var x, y string
		if isDigit(a[0]) {
			x, a = cutWhile(a, isDigit)
			y, b = cutWhile(b, isDigit)
			if c := compareDigits(x, y); y == "" || c != 0 {
				return cmp.Or(c, 1) // a number is newer than a word
			}
			continue
		}
		x, a = cutWhile(a, isLetter)
		y, b = cutWhile(b, isLetter)
		if y == "" {
			return -1
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
}

func isRPMSeparator(r rune) bool {
	switch {
	case r == '~', r == '^', '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		return false
	}
	return true
}

// compareAlpine is the order of apk: numbers, a letter, suffixes as _rc1, revision.
func compareAlpine(a, b string) int {
	verA, revA := cutRevision(a)
	verB, revB := cutRevision(b)
	partsA, partsB := strings.Split(verA, "_"), strings.Split(verB, "_")
	numbersA, letterA := cutLetter(partsA[0])
	numbersB, letterB := cutLetter(partsB[0])
	if c := cmp.Or(compareRuns(numbersA, numbersB), strings.Compare(letterA, letterB)); c != 0 {
		return c
	}
	for i := 1; i < max(len(partsA), len(partsB)); i++ {
		rankA, numA := alpineSuffix(partsA, i)
		rankB, numB := alpineSuffix(partsB, i)
		if c := cmp.Or(cmp.Compare(rankA, rankB), compareDigits(numA, numB)); c != 0 {
			return c
		}
	}
	return compareDigits(revA, revB)
}

// alpineSuffixes are those before the release (below 0) and those after it.
var alpineSuffixes = map[string]int{"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}

func alpineSuffix(parts []string, i int) (rank int, number string) {
	if i >= len(parts) {
		return 0, ""
	}
	word, number := cutWhile(parts[i], isLetter)
	return alpineSuffixes[word], number
}

func cutLetter(s string) (numbers, letter string) {
	if n := len(s) - 1; n > 0 && isLetter(s[n]) {
		return s[:n], s[n:]
	}
	return s, ""
}

func cutRevision(s string) (rest, revision string) {
	if i := strings.LastIndex(s, "-r"); i >= 0 {
		return s[:i], s[i+2:]
	}
	return s, ""
}

func cutEpoch(s string) (epoch, rest string) {
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		return epoch, rest
	}
	return "", s
}

// cutLast cuts at the last hyphen, behind which the revision or release is.
func cutLast(s string) (before, after string) {
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

func cutWhile(s string, is func(byte) bool) (head, rest string) {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// compareDigits compares numbers of any length; none is zero.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func isNotDigit(c byte) bool { return !isDigit(c) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
