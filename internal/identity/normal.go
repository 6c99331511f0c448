package identity

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The normal forms below append to a buffer, because they run for every
// observation of a report.

// appendFolded writes s without outer space and in lower case.
func appendFolded(b []byte, s string) []byte {
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return append(b, strings.ToLower(s[i:])...)
		}
		b = append(b, lower(c))
	}
	return b
}

// appendTitle writes s in lower case with single spaces.
func appendTitle(b []byte, s string) []byte {
	start := len(b)
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		if space && len(b) > start {
			b = append(b, ' ')
		}
		space = false
		b = utf8.AppendRune(b, unicode.ToLower(r))
	}
	return b
}

// appendSnippet writes s without white space and without the line numbers that
// some tools print before each line: a reformatted or shifted place keeps its text.
func appendSnippet(b []byte, s string) []byte {
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		line = cutLineNumber(line)
		for i := 0; i < len(line); i++ {
			if c := line[i]; c > ' ' {
				b = append(b, c)
			}
		}
	}
	return b
}

// cutLineNumber takes "> 12 | text" and "12: text" down to the text.
func cutLineNumber(line string) string {
	t := strings.TrimLeft(line, " \t>")
	n := 0
	for n < len(t) && isDigit(t[n]) {
		n++
	}
	if n == 0 || n > 7 {
		return line
	}
	t = strings.TrimLeft(t[n:], " ")
	switch {
	case strings.HasPrefix(t, "|"):
		return t[1:]
	case strings.HasPrefix(t, ": "), strings.HasPrefix(t, ":\t"):
		return t[2:]
	}
	return line
}

// NormalPath gives a file's name its one form: slashes, relative to the root, no
// ./ or .., the drive letter small. Case is kept: most file systems of servers
// tell it apart.
func NormalPath(path string) string { return string(appendPath(nil, path)) }

func appendPath(b []byte, s string) []byte {
	if hasFoldPrefix(s, "file://") {
		s = s[len("file://"):]
	}
	if len(s) >= 3 && s[0] == '/' && s[2] == ':' { // file:///C:/...
		s = s[1:]
	}
	start := len(b)
	for len(s) > 0 {
		n := strings.IndexAny(s, `/\`)
		seg := s
		if n >= 0 {
			seg, s = s[:n], s[n+1:]
		} else {
			s = ""
		}
		switch seg {
		case "", ".":
			continue
		case "..":
			if up := lastSegment(b[start:]); up >= 0 && string(b[start+up:]) != ".." {
				b = b[:max(start, start+up-1)]
				continue
			}
		}
		if len(b) > start {
			b = append(b, '/')
		}
		at := len(b)
		b = append(b, seg...)
		if at == start && len(seg) == 2 && seg[1] == ':' {
			b[at] = lower(seg[0])
		}
	}
	return b
}

// lastSegment is where the last segment of a path begins, -1 if it has none.
func lastSegment(p []byte) int {
	if len(p) == 0 {
		return -1
	}
	return bytes.LastIndexByte(p, '/') + 1
}

// appendHost writes a machine's name: lower case, no final dot, no brackets.
func appendHost(b []byte, s string) []byte {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	return appendFolded(b, s)
}

var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}

// URLTemplate gives a URL the form that is the same for every visit: scheme and
// host in lower case without a default port, numbers and ids in the path as {},
// the names of query parameters sorted, without values and fragment.
func URLTemplate(url string) string {
	b, _ := appendURL(nil, url)
	return string(b)
}

// appendURL writes the template of s and says where its path begins.
func appendURL(b []byte, s string) (out []byte, pathAt int) {
	s = strings.TrimSpace(s)
	s, _, _ = strings.Cut(s, "#")
	s, query, _ := strings.Cut(s, "?")
	scheme, rest, ok := strings.Cut(s, "://")
	if ok {
		b = append(appendFolded(b, scheme), "://"...)
		authority, path, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = authority[at+1:]
		}
		if host, port, ok := cutPort(authority); ok && defaultPorts[strings.ToLower(scheme)] == port {
			authority = host
		}
		b = appendFolded(b, strings.TrimSuffix(authority, "."))
		s = path
	}
	pathAt = len(b)
	for len(s) > 0 {
		seg, tail, _ := strings.Cut(s, "/")
		s = tail
		seg, _, _ = strings.Cut(seg, ";") // ;jsessionid=...
		if seg == "" {
			continue
		}
		b = append(b, '/')
		if isIDSegment(seg) {
			b = append(b, "{}"...)
		} else {
			b = append(b, seg...)
		}
	}
	if query == "" {
		return b, pathAt
	}
	var few [16]string
	names := few[:0]
	for len(query) > 0 {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if name, _, _ := strings.Cut(pair, "="); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	sep := byte('?')
	for _, name := range slices.Compact(names) {
		b = append(append(b, sep), name...)
		sep = '&'
	}
	return b, pathAt
}

// cutPort splits host:port; an address of version 6 has its host in brackets.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i == len(s)-1 || strings.Contains(s[:i], ":") && !strings.HasSuffix(s[:i], "]") {
		return s, "", false
	}
	for j := i + 1; j < len(s); j++ {
		if !isDigit(s[j]) {
			return s, "", false
		}
	}
	return s[:i], s[i+1:], true
}

// isIDSegment reports whether a segment of a path names an object rather than a
// route: a number, a UUID, or at least 16 hex digits.
func isIDSegment(s string) bool {
	digits, hex, dashes := 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := lower(s[i]); {
		case isDigit(c):
			digits++
			hex++
		case c >= 'a' && c <= 'f':
			hex++
		case c == '-':
			dashes++
		default:
			return false
		}
	}
	switch {
	case digits == len(s):
		return true
	case dashes == 0:
		return hex >= 16 && digits > 0
	}
	return dashes == 4 && hex == 32
}

// appendPURL writes a package URL without qualifiers and subpath: architecture and
// distribution are where it is installed, not what it is. Escapes and the case of
// the type, which tools write differently, are made one.
func appendPURL(b []byte, s string) []byte {
	s = purlCore(s)
	if s == "" {
		return b
	}
	typ, rest, _ := strings.Cut(s, "/")
	b = append(appendFolded(b, typ), '/')
	return appendUnescaped(b, rest)
}

func purlCore(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if hasFoldPrefix(s, "pkg:") {
		s = s[len("pkg:"):]
	}
	return strings.Trim(s, "/")
}

// splitPURL gives the package's name with its namespace, and the version.
func splitPURL(s string) (name, version string) {
	_, rest, _ := strings.Cut(purlCore(s), "/")
	if i := strings.LastIndexByte(rest, '@'); i > 0 && i > strings.LastIndexByte(rest, '/')+1 {
		rest, version = rest[:i], rest[i+1:]
	}
	if strings.IndexByte(rest, '%') >= 0 {
		rest = string(appendUnescaped(nil, rest))
	}
	return rest, version
}

func appendUnescaped(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, isHex1 := unhex(s[i+1])
			lo, isHex2 := unhex(s[i+2])
			if isHex1 && isHex2 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

func unhex(c byte) (v byte, ok bool) {
	switch c = lower(c); {
	case isDigit(c):
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// imageName is an image without tag and digest.
func imageName(s string) string {
	s, _, _ = strings.Cut(s, "@")
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, '/') {
		s = s[:i]
	}
	return s
}

// PathOf is the path that a coverage is asked for: the file, else where the package
// is installed.
func PathOf(o *sinew.Observation) string {
	if o.Package != nil && o.Package.Path != "" && o.Class() == sinew.ClassDependency {
		return o.Package.Path
	}
	return o.File
}

// HostOf is the host that a coverage is asked for. Several names of one thing are
// separated by a line feed: a coverage includes it by any of them.
func HostOf(o *sinew.Observation) string {
	var names []string
	add := func(s string) {
		if s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	add(o.Host)
	if e := o.Endpoint; e != nil {
		add(e.URL)
	}
	if r := o.Resource; r != nil {
		add(r.ID)
		add(r.Name)
		add(r.Account)
	}
	return strings.Join(names, "\n")
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func hasFoldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
