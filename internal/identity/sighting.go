package identity

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// kinds of sightings: only those of one kind are compared.
type sightingKind int

const (
	kindNone sightingKind = iota
	kindDependency
	kindFile
	kindResource
	kindWeb
	kindHost
)

func (s *Sighting) kind() sightingKind {
	switch s.Class {
	case sinew.ClassDependency:
		return kindDependency
	case sinew.ClassCode, sinew.ClassSecret:
		return kindFile
	case sinew.ClassResource:
		if s.File != "" {
			return kindFile
		}
		return kindResource
	case sinew.ClassWeb:
		return kindWeb
	case sinew.ClassHost:
		return kindHost
	case sinew.ClassOther:
	}
	return kindNone
}

// Spot is what correlation needs of an observation beyond what a finding's row
// shows: a text of fields, to be read by [ReadSpot].
func Spot(o *sinew.Observation) string {
	var end, resourceType, method, url, param, port, fixed string
	if o.EndLine > o.Line {
		end = strconv.Itoa(o.EndLine)
	}
	if r := o.Resource; r != nil {
		resourceType = r.Type
	}
	if e := o.Endpoint; e != nil {
		method, url, param = e.Method, e.URL, e.Param
	}
	if v, ok := o.Extra["port"]; ok {
		port = scalar(v)
	}
	if o.Package != nil {
		fixed = fixedVersions(o.Package.Fixed)
	}
	fields := [...]string{end, sinkOf(o), o.Symbol, resourceType, method, url, param, port, secretName(o.Secret), fixed, baseName(o)}
	last := len(fields)
	for last > 0 && fields[last-1] == "" {
		last--
	}
	for i := range fields[:last] {
		fields[i] = strings.ReplaceAll(fields[i], spotSeparator, " ")
	}
	return strings.Join(fields[:last], spotSeparator)
}

const spotSeparator = "\x1f"

// ReadSpot fills what [Spot] wrote.
func (s *Sighting) ReadSpot(spot string) {
	var f [9]string
	for i := range f {
		f[i], spot, _ = strings.Cut(spot, spotSeparator)
	}
	s.EndLine, _ = strconv.Atoi(f[0])
	s.Sink, s.Symbol, s.ResourceType, s.Method, s.URL, s.Param, s.Port, s.Secret = f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]
}

// The fields of a spot that root causes need, which correlation does not look at.
const (
	spotFixed = 9
	spotBase  = 10
)

// SpotRepairs reads the versions that repair a package, and the name of an image's
// base, from what [Spot] wrote.
func SpotRepairs(spot string) (fixed []string, base string) {
	var list string
	for i := 0; i <= spotBase && spot != ""; i++ {
		var field string
		field, spot, _ = strings.Cut(spot, spotSeparator)
		switch i {
		case spotFixed:
			list = field
		case spotBase:
			base = field
		}
	}
	if list == "" {
		return nil, base
	}
	return strings.Split(list, ","), base
}

// maxFixed bounds the versions that are kept: advisories name one for each line of
// releases.
const maxFixed = 400

// fixedVersions lists versions with a comma between them, as many as fit.
func fixedVersions(versions []string) string {
	var b strings.Builder
	for _, v := range versions {
		if v = strings.ReplaceAll(strings.TrimSpace(v), ",", " "); v == "" {
			continue
		}
		if b.Len()+1+len(v) > maxFixed {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(v)
	}
	return b.String()
}

// baseName is what a report tells of the base of an image: its name, else the
// distribution.
func baseName(o *sinew.Observation) string {
	if o.Image == "" || o.Package == nil || !isOSPackage(ecosystemOf(o.Package.PURL)) {
		return ""
	}
	for _, key := range []string{"base_image", "os"} {
		if name, ok := o.Extra[key].(string); ok && name != "" {
			return shortCause(name)
		}
	}
	return ""
}

// sinkOf is a short hash of the text of the line that is meant: tools quote more or
// fewer lines around it, with or without their numbers.
func sinkOf(o *sinew.Observation) string {
	if o.Line <= 0 || o.Snippet == "" || o.Secret != "" {
		return ""
	}
	text := o.Snippet
	first, _, many := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	if n, _ := lineNumber(first); n > 0 {
		found := false
		for line := range strings.SplitSeq(text, "\n") {
			if m, rest := lineNumber(line); m == o.Line {
				first, found = rest, true
				break
			}
		}
		if !found {
			return ""
		}
	} else if many && o.EndLine <= o.Line {
		return "" // lines around it: which one is meant is not told
	}
	var b []byte
	for i := range len(first) {
		if c := first[i]; c > ' ' {
			b = append(b, c)
		}
	}
	if len(b) < distinctive/2 {
		return ""
	}
	return strconv.FormatUint(hash64(b), 36)
}

// lineNumber reads "> 12 | text" and "12: text".
func lineNumber(line string) (int, string) {
	rest := cutLineNumber(line)
	if rest == line {
		return 0, line
	}
	digits := strings.TrimLeft(line, " \t>")
	n := 0
	for n < len(digits) && isDigit(digits[n]) {
		n++
	}
	v, _ := strconv.Atoi(digits[:n])
	return v, rest
}

// Block names the findings that a finding is compared with. It needs the class, the
// place, the rule and the title of the sighting.
func (s *Sighting) Block() int64 {
	var key string
	switch s.kind() {
	case kindDependency:
		key = "d\x00" + bareName(s)
	case kindFile:
		key = "f\x00" + strings.ToLower(path.Base(NormalPath(s.File)))
	case kindResource:
		id := foldedResource(s.Resource)
		key = "r\x00" + id[strings.LastIndexAny(id, "/:.")+1:]
	case kindWeb:
		key = "w\x00" + webHost(s.URL)
	case kindHost:
		key = "h\x00" + foldedHost(s.Host)
	case kindNone: // compared with nothing, but people may join them
		key = "o\x00" + strings.ToLower(s.Rule+s.Title)
	}
	h := int64(hash64([]byte(key)) >> 1)
	return max(h, 1)
}

func (s *Sighting) prepare() {
	switch s.kind() {
	case kindDependency:
		s.bare, s.ecosystem, s.release = bareName(s), ecosystemOf(s.PURL), release(s)
		s.path = projectOf(NormalPath(s.File))
	case kindFile:
		s.path = NormalPath(s.File)
		s.setControl()
		s.weak = weaknessesOf(s)
	case kindResource:
		s.setControl()
	case kindWeb:
		s.path = webPath(s.URL)
		s.weak = weaknessesOf(s)
	case kindHost:
		s.weak = faultsInWords(s.Title)
	case kindNone:
	}
	s.natural = strings.Join([]string{
		s.Stream, s.Tool, s.Rule, s.File, pad(s.Line), s.Package, s.Version, s.PURL, s.Image, s.Host, s.Resource, s.Method, s.URL, s.Param,
		s.Secret, s.Title, strconv.Itoa(s.Severity), string(s.State), strings.Join(s.IDs, " "), strconv.FormatInt(s.FirstSeen, 10),
		strconv.Itoa(s.EndLine), s.Sink, s.Symbol, s.Port, fmt.Sprint(s.CWE), s.Rest,
	}, "\x00")
}

// projects are manifests and lock files of one kind of project: scanners read one or
// another of those in a folder, and mean the same dependencies.
var projects = map[string]string{
	"go.mod": "go", "go.sum": "go",
	"package.json": "npm", "package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "yarn.lock": "npm", "pnpm-lock.yaml": "npm", "bun.lock": "npm", "bun.lockb": "npm",
	"pyproject.toml": "python", "poetry.lock": "python", "uv.lock": "python", "pdm.lock": "python", "setup.py": "python", "setup.cfg": "python",
	"pipfile": "pipfile", "pipfile.lock": "pipfile",
	"gemfile": "bundler", "gemfile.lock": "bundler", "gems.rb": "bundler", "gems.locked": "bundler",
	"composer.json": "composer", "composer.lock": "composer",
	"cargo.toml": "cargo", "cargo.lock": "cargo",
	"build.gradle": "gradle", "build.gradle.kts": "gradle", "gradle.lockfile": "gradle",
	"packages.config": "nuget", "packages.lock.json": "nuget",
	"pubspec.yaml": "pub", "pubspec.lock": "pub",
	"mix.exs": "mix", "mix.lock": "mix",
	"podfile": "cocoapods", "podfile.lock": "cocoapods",
	"package.swift": "swift", "package.resolved": "swift",
	"conanfile.txt": "conan", "conanfile.py": "conan", "conan.lock": "conan",
}

// projectOf gives the project in the place of its manifest or lock file.
func projectOf(file string) string {
	if kind, ok := projects[strings.ToLower(path.Base(file))]; ok {
		return strings.TrimPrefix(path.Join(path.Dir(file), kind+" project"), "./")
	}
	return file
}

func pad(n int) string {
	s := strconv.Itoa(n)
	return "0000000000"[:max(0, 10-len(s))] + s
}

// packageName is the name with its namespace, in the form in which ecosystems
// compare names.
func packageName(s *Sighting) string {
	name := s.Package
	if full, _ := splitPURL(s.PURL); full != "" {
		name = full
	}
	name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), ":", "/"))
	if s.ecosystem == "pypi" {
		name = strings.NewReplacer("_", "-", ".", "-").Replace(name)
	}
	if isOSPackage(s.ecosystem) { // the namespace is the distribution
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	return name
}

// bareName is the last part of a package's name, the same for all ways to write it.
func bareName(s *Sighting) string {
	name := s.Package
	if full, _ := splitPURL(s.PURL); full != "" {
		name = full
	}
	name = strings.ToLower(strings.TrimSpace(name))
	name = name[strings.LastIndexAny(name, "/:")+1:]
	return strings.NewReplacer("_", "-", ".", "-").Replace(name)
}

func ecosystemOf(purl string) string {
	if purl == "" {
		return ""
	}
	kind, _, _ := strings.Cut(purlCore(purl), "/")
	return strings.ToLower(kind)
}

func isOSPackage(ecosystem string) bool { return slices.Contains(osPackages, ecosystem) }

// release is the version without what tools write before it.
func release(s *Sighting) string {
	v := s.Version
	if v == "" {
		_, v = splitPURL(s.PURL)
	}
	v = strings.TrimSpace(strings.ToLower(v))
	v = strings.TrimPrefix(v, "go")
	return strings.TrimPrefix(v, "v")
}

func foldedHost(s string) string { return string(appendHost(nil, s)) }

// foldedResource writes the name of a resource in one form. What is wrong with an
// AWS account is told of its number, its name in Security Hub or its root user.
func foldedResource(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if id, ok := strings.CutPrefix(s, "aws::::account:"); ok {
		return id
	}
	if rest, ok := strings.CutPrefix(s, "arn:aws:iam::"); ok {
		if id, ok := strings.CutSuffix(rest, ":root"); ok {
			return id
		}
	}
	return s
}

// webPath is the template of a URL without host and parameters, "" for the site.
func webPath(url string) string {
	b, at := appendURL(nil, url)
	p, _, _ := strings.Cut(string(b[at:]), "?")
	return strings.ToLower(strings.TrimRight(p, "/"))
}

// webHost is the host of a URL, without scheme and usual port.
func webHost(url string) string {
	b, at := appendURL(nil, url)
	_, host, ok := strings.Cut(string(b[:at]), "://")
	if !ok {
		return string(b[:at])
	}
	return host
}

// endsWithPath reports whether one path is the end of the other: a scan that began
// further down.
func endsWithPath(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	return b != "" && len(a) > len(b) && strings.HasSuffix(a, b) && a[len(a)-len(b)-1] == '/'
}

// How much alike two weaknesses are.
const (
	sameFamily = iota + 1
	sameCWE
)

func sameWeakness(a, b *Sighting) int {
	for _, n := range a.CWE {
		if !vagueCWE[n] && slices.Contains(b.CWE, n) && a.kind() == kindFile {
			return sameCWE
		}
	}
	for _, w := range a.weak {
		if slices.Contains(b.weak, w) {
			return sameFamily
		}
	}
	return 0
}

// namesOfVulnerabilities gives every finding one name for each vulnerability. What
// one tool names in one breath - one CVE and one GHSA - is one vulnerability, and
// so it is for the findings of the others in the block.
func namesOfVulnerabilities(block []Sighting, aliases Aliases) {
	root := map[string]string{}
	var find func(id string) string
	find = func(id string) string {
		r, ok := root[id]
		if !ok || r == id {
			return id
		}
		r = find(r)
		root[id] = r
		return r
	}
	name := func(id string) string {
		id = foldedID(id)
		if aliases != nil {
			id = aliases.Root(id)
		}
		return id
	}
	ids := func(s *Sighting) []string {
		out, bundled := make([]string, 0, len(s.IDs)+1), []string(nil)
		for _, id := range s.IDs {
			kind, _, _ := strings.Cut(foldedID(id), "-")
			if bundles[kind] {
				bundled = append(bundled, name(id))
			} else {
				out = append(out, name(id))
			}
		}
		if len(out) == 0 { // what an advisory bundles says more than it does
			out = bundled
		}
		if len(out) == 0 && isVulnerabilityID(s.Rule) {
			out = append(out, name(s.Rule))
		}
		return out
	}
	for i := range block {
		s := &block[i]
		if k := s.kind(); k != kindDependency && k != kindHost {
			continue
		}
		s.names = ids(s)
		s.roots = slices.Clone(s.names)
		if s.kind() == kindHost || !OneVulnerability(s.IDs) {
			continue
		}
		for _, id := range s.roots[min(1, len(s.roots)):] {
			a, b := find(s.roots[0]), find(id)
			if a != b { // the smaller name is the root, whatever the order
				root[max(a, b)] = min(a, b)
			}
		}
	}
	for i := range block {
		s := &block[i]
		for j := range s.roots {
			s.roots[j] = find(s.roots[j])
		}
		slices.Sort(s.roots)
		s.roots = slices.Compact(s.roots)
		if k := s.kind(); len(s.roots) == 0 && k == kindDependency {
			s.roots = []string{"rule " + strings.ToLower(s.Rule)}
		}
	}
}

// OneVulnerability reports whether names are of one vulnerability: at most one of
// each kind, and none of an advisory of a distribution, which bundles several.
func OneVulnerability(ids []string) bool {
	kinds := map[string]bool{}
	for _, id := range ids {
		kind, _, _ := strings.Cut(foldedID(id), "-")
		if kinds[kind] || bundles[kind] {
			return false
		}
		kinds[kind] = true
	}
	return true
}

// bundles are kinds of advisories that name several vulnerabilities.
var bundles = map[string]bool{
	"RHSA": true, "RHBA": true, "RHEA": true, "DSA": true, "DLA": true, "USN": true, "ALAS": true, "ALAS2": true, "ELSA": true,
	"SUSE": true, "OPENSUSE": true, "ALSA": true, "RLSA": true, "GLSA": true, "FEDORA": true, "MS": true, "CISCO": true,
}

func foldedID(id string) string { return strings.ToUpper(strings.TrimSpace(id)) }

// Compare orders sightings by what they say, never by ids, unless they say the same.
func (s *Sighting) Compare(o *Sighting) int {
	return cmp.Or(cmp.Compare(s.natural, o.natural), cmp.Compare(s.ID, o.ID))
}
