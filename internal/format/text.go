package format

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"
	"golang.org/x/net/html"
)

// purl writes a package URL (github.com/package-url/purl-spec). Types by other
// names are translated; what is empty is left out.
func purl(typ, ns, name, version string) any {
	typ = strings.ToLower(strings.TrimSpace(typ))
	if t, ok := purlTypes[typ]; ok {
		typ = t
	}
	name = strings.TrimSpace(name)
	if typ == "" || name == "" {
		return nil
	}
	switch typ {
	case "maven":
		if ns == "" {
			if g, a, ok := strings.Cut(name, ":"); ok {
				ns, name = g, a
			}
		}
	case "pypi":
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	case "npm", "composer", "github", "bitbucket", "golang", "huggingface", "swift":
		if typ == "npm" || typ == "composer" || typ == "github" {
			name = strings.ToLower(name)
		}
		if ns == "" {
			if i := strings.LastIndexByte(name, '/'); i > 0 {
				ns, name = name[:i], name[i+1:]
			}
		}
	case "deb", "rpm", "apk":
		ns = strings.ToLower(ns)
	}
	var b strings.Builder
	b.WriteString("pkg:" + typ + "/")
	for part := range strings.SplitSeq(strings.Trim(ns, "/"), "/") {
		if part != "" {
			b.WriteString(purlEscape(part) + "/")
		}
	}
	b.WriteString(purlEscape(name))
	if version = strings.TrimSpace(version); version != "" {
		b.WriteString("@" + purlEscape(version))
	}
	return b.String()
}

var purlTypes = map[string]string{
	"java": "maven", "java-archive": "maven", "jar": "maven", "pom": "maven", "gradle": "maven", "sbt": "maven",
	"python": "pypi", "pip": "pypi", "python-pkg": "pypi", "pipenv": "pypi", "poetry": "pypi", "uv": "pypi", "conda-pkg": "conda",
	"node": "npm", "node-pkg": "npm", "nodejs": "npm", "yarn": "npm", "pnpm": "npm", "javascript": "npm", "bun": "npm",
	"go": "golang", "gomod": "golang", "gobinary": "golang", "go-module": "golang",
	"ruby": "gem", "rubygems": "gem", "bundler": "gem", "gemspec": "gem",
	"rust": "cargo", "rustbinary": "cargo", "rust-crate": "cargo", "crates.io": "cargo", "crates": "cargo",
	"php": "composer", "packagist": "composer", "composer-vendor": "composer",
	"dotnet": "nuget", "dotnet-core": "nuget", ".net": "nuget", "dotnet-deps": "nuget", "packages-props": "nuget",
	"debian": "deb", "ubuntu": "deb", "dpkg": "deb", "alpine": "apk", "apkg": "apk", "wolfi": "apk", "chainguard": "apk",
	"redhat": "rpm", "centos": "rpm", "rocky": "rpm", "alma": "rpm", "oracle": "rpm", "amazon": "rpm", "fedora": "rpm",
	"suse": "rpm", "sles": "rpm", "opensuse": "rpm", "photon": "rpm", "azurelinux": "rpm", "cbl-mariner": "rpm",
	"cocoapods": "cocoapods", "mix": "hex", "elixir": "hex", "pub": "pub", "dart": "pub", "conan": "conan", "c/c++": "conan",
}

// purlEscape percent-encodes all but the characters that the specification
// leaves alone.
func purlEscape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~:", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

var (
	drive = regexp.MustCompile(`^[A-Za-z]:/`)
	// Working directories of CI runners and of scanners' containers.
	workdir = regexp.MustCompile(`^/?(?:home/runner/work/[^/]+/[^/]+|github/workspace|__w/[^/]+/[^/]+|` +
		`builds/[^/]+/[^/]+|home/[^/]+/actions-runner/_work/[^/]+/[^/]+|(?:var/)?jenkins_home/workspace/[^/]+|` +
		`(?:var/lib/)?jenkins/workspace/[^/]+|home/vsts/work/\d+/s|opt/atlassian/pipelines/agent/build|` +
		`codebuild/output/src\d+/src(?:/[^/]+){0,2}|usr/src/app|tmp/app|src|code|workspace/source|zap/wrk|scan|repo|project|data)/`)
)

// relpath makes a path comparable between machines.
func relpath(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 4096 {
		s = s[:4096]
	}
	s = strings.TrimPrefix(s, "file://localhost")
	s = strings.TrimPrefix(s, "file://")
	if strings.Contains(s, `\`) {
		s = strings.ReplaceAll(s, `\`, "/")
	}
	if strings.HasPrefix(s, "/") && drive.MatchString(s[1:]) {
		s = s[1:]
	}
	if drive.MatchString(s) {
		s = s[2:]
	} else if m := workdir.FindString(s); m != "" && strings.HasPrefix(s, "/") {
		s = s[len(m):]
	}
	for strings.HasPrefix(s, "./") || strings.HasPrefix(s, "/") {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "."), "/")
	}
	for strings.Contains(s, "/./") {
		s = strings.ReplaceAll(s, "/./", "/")
	}
	return s
}

var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02", "2006-1-2", "20060102T150405Z", "20060102",
	time.RFC1123Z, time.RFC1123, time.RFC850, time.ANSIC, time.UnixDate, time.RubyDate, "Mon Jan 2 15:04:05 -0700 2006",
	"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05", "Mon, 02 Jan 2006",
	"Jan 2, 2006 15:04:05", "Jan 2, 2006 3:04:05 PM", "Jan 2, 2006, 3:04:05 PM", "Jan 2, 2006 @ 15:04:05.999", "January 2, 2006 15:04:05",
	"January 2, 2006 3:04 PM", "January 2, 2006", "Jan 2, 2006", "Jan 02, 2006 15:04:05 MST", "2 January 2006 15:04:05", "2 January 2006 15:04", "2 January 2006",
	"2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04", "2 Jan 2006", "02-Jan-2006 15:04:05", "02-Jan-2006", "2-Jan-06",
	"2006/01/02 15:04:05.999999999", "2006/01/02 15:04", "2006/01/02", "1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", "1/2/2006 15:04:05", "1/2/2006 15:04", "1/2/2006",
	"2.1.2006 15:04:05", "2.1.2006 15:04", "2.1.2006", "Mon Jan 2 15:04:05 2006 MST", "Mon Jan _2 15:04:05 MST 2006", "Monday, January 2, 2006 3:04:05 PM",
	"02/01/2006 15:04:05", "02/01/2006",
}

var ordinals = regexp.MustCompile(`(\d)(?:st|nd|rd|th)\b`)

// timestamp reads dates of many forms. Slashes are month/day/year, as tools
// write them, unless the first number cannot be a month.
func timestamp(v any) any {
	if v == nil {
		return nil
	}
	if s, ok := v.(string); ok {
		if t, ok := parseTime(s); ok {
			return t.Format(time.RFC3339Nano)
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err != nil {
			return nil
		}
		v = json.Number(strings.TrimSpace(s))
	}
	f, ok := gojq.ToFloat64(v)
	if !ok || math.IsNaN(f) || f < 1e8 || f > 4e18 {
		return nil
	}
	for f > 1e11 { // milliseconds, microseconds, nanoseconds
		f /= 1000
	}
	whole, frac := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC().Format(time.RFC3339Nano)
}

func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 6 || len(s) > 64 || strings.IndexFunc(s, func(r rune) bool { return r < ' ' }) >= 0 {
		return time.Time{}, false
	}
	if strings.ContainsAny(s, "sdh") && ordinals.MatchString(s) {
		s = ordinals.ReplaceAllString(s, "$1")
	}
	s = strings.TrimSuffix(s, "[UTC]")
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	for _, l := range timeLayouts {
		t, err := time.Parse(l, s)
		if err == nil && t.Year() > 1970 && t.Year() < 2200 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// markdown turns HTML into Markdown: paragraphs, lists, code, links, emphasis,
// headings and tables as text. Text without tags and entities stays as it is.
func markdown(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(1 << 20)
	var w mdWriter
	for {
		switch z.Next() {
		case html.ErrorToken:
			return w.finish()
		case html.TextToken:
			w.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			raw := string(z.Raw())
			name, more := z.TagName()
			w.open(string(name), z, more, raw)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(string(name))
		default: // comments and doctypes are not text
		}
	}
}

type mdWriter struct {
	b     strings.Builder
	pre   int
	hide  int
	lists []int // per open list: next number, 0 for bullets
	href  []string
	cells int
}

func (w *mdWriter) breakLine(n int) {
	s := w.b.String()
	have := len(s) - len(strings.TrimRight(s, "\n"))
	if len(strings.TrimSpace(s)) == 0 {
		return
	}
	for ; have < n; have++ {
		w.b.WriteByte('\n')
	}
}

func (w *mdWriter) text(s string) {
	if w.hide > 0 {
		return
	}
	s = html.UnescapeString(s)
	if w.pre > 0 {
		w.b.WriteString(s)
		return
	}
	// A source without block tags keeps its own lines.
	out := strings.ReplaceAll(s, "\r\n", "\n")
	for strings.Contains(out, "  ") {
		out = strings.ReplaceAll(out, "  ", " ")
	}
	if cur := w.b.String(); cur == "" || strings.HasSuffix(cur, "\n") {
		out = strings.TrimLeft(out, " \t\n")
	}
	w.b.WriteString(out)
}

func (w *mdWriter) open(name string, z *html.Tokenizer, more bool, raw string) {
	switch name {
	case "br":
		w.b.WriteByte('\n')
	case "p", "div", "section", "table", "blockquote":
		w.breakLine(2)
	case "tr":
		w.breakLine(1)
		w.cells = 0
	case "td", "th":
		if w.cells++; w.cells > 1 {
			w.b.WriteString(" | ")
		}
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.breakLine(2)
		w.b.WriteString(strings.Repeat("#", int(name[1]-'0')) + " ")
	case "ul":
		w.breakLine(1)
		w.lists = append(w.lists, 0)
	case "ol":
		w.breakLine(1)
		w.lists = append(w.lists, 1)
	case "li":
		w.breakLine(1)
		w.b.WriteString(strings.Repeat("  ", min(max(len(w.lists)-1, 0), 8)))
		if n := len(w.lists); n > 0 && w.lists[n-1] > 0 {
			w.b.WriteString(strconv.Itoa(w.lists[n-1]) + ". ")
			w.lists[n-1]++
		} else {
			w.b.WriteString("- ")
		}
	case "b", "strong":
		w.b.WriteString("**")
	case "i", "em":
		w.b.WriteString("*")
	case "code", "tt", "kbd":
		if w.pre == 0 {
			w.b.WriteByte('`')
		}
	case "pre":
		w.breakLine(1)
		w.b.WriteString("```\n")
		w.pre++
	case "a":
		href := ""
		for more {
			var k, v []byte
			k, v, more = z.TagAttr()
			if string(k) == "href" {
				href = string(v)
			}
		}
		if !strings.HasPrefix(href, "http://") && !strings.HasPrefix(href, "https://") {
			href = ""
		}
		w.href = append(w.href, href)
		if href != "" {
			w.b.WriteByte('[')
		}
	case "script", "style", "head", "title":
		w.hide++
	case "span", "font", "hr", "u", "small", "sub", "sup", "img", "tbody", "thead", "dl", "dt", "dd", "html", "body", "paragraph":
		if name == "dt" || name == "dd" || name == "hr" || name == "paragraph" {
			w.breakLine(1)
		}
	default:
		if w.hide == 0 {
			w.b.WriteString(raw) // not HTML: List<String>, <script-like> text of a finding
		}
	}
}

func (w *mdWriter) close(name string) {
	switch name {
	case "p", "div", "section", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6":
		w.breakLine(2)
	case "ul", "ol":
		if n := len(w.lists); n > 0 {
			w.lists = w.lists[:n-1]
		}
		w.breakLine(1)
	case "b", "strong":
		w.b.WriteString("**")
	case "i", "em":
		w.b.WriteString("*")
	case "code", "tt", "kbd":
		if w.pre == 0 {
			w.b.WriteByte('`')
		}
	case "pre":
		if w.pre > 0 {
			w.pre--
			w.breakLine(1)
			w.b.WriteString("```\n")
		}
	case "a":
		if n := len(w.href); n > 0 {
			if h := w.href[n-1]; h != "" {
				w.b.WriteString("](" + h + ")")
			}
			w.href = w.href[:n-1]
		}
	case "script", "style", "head", "title":
		w.hide = max(w.hide-1, 0)
	}
}

func (w *mdWriter) finish() string {
	s := w.b.String()
	for strings.Contains(s, "\n\n\n") {
		s = strings.ReplaceAll(s, "\n\n\n", "\n\n")
	}
	return strings.TrimSpace(s)
}
