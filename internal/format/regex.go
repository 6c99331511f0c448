package format

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// The regular expressions of programs. jq's own are quadratic on long texts;
// these run Go's engine and refuse what could take long.

const (
	maxGlobalText = 8 << 10
	maxRegexText  = 1 << 20
)

// regexes are compiled once each; programs are few and trusted, so the cache is
// only bounded for safety.
type regexCache struct {
	mu sync.Mutex
	m  map[string]*regexp.Regexp
}

var regexes = regexCache{m: map[string]*regexp.Regexp{}}

func (c *regexCache) get(pattern, flags string) (*regexp.Regexp, error) {
	key := flags + "/" + pattern
	c.mu.Lock()
	defer c.mu.Unlock()
	if re := c.m[key]; re != nil {
		return re, nil
	}
	var mods strings.Builder
	for _, f := range flags {
		switch f {
		case 'i', 's':
			mods.WriteString(string(f))
		case 'x':
			return nil, errors.New("the flag x is not available")
		case 'g', 'n', 'l':
		default:
			return nil, fmt.Errorf("unknown flag %q", f)
		}
	}
	expr := pattern
	if mods.String() != "" {
		expr = "(?" + mods.String() + ")" + pattern
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	if len(c.m) > 10_000 {
		clear(c.m)
	}
	c.m[key] = re
	return re, nil
}

func rxArgs(what string, v any, a []any, limit int) (string, string, *regexp.Regexp, error) {
	s, ok := v.(string)
	if !ok {
		return "", "", nil, fmt.Errorf("%s: expected text, got %T", what, v)
	}
	flags, _ := a[1].(string)
	if strings.Contains(flags, "g") {
		limit = maxGlobalText
	}
	if len(s) > limit {
		return "", "", nil, fmt.Errorf("%s: a text of %s is too long for a pattern (at most %s); cut it first or use replace, split or lines",
			what, size(int64(len(s))), size(int64(limit)))
	}
	pattern, ok := a[0].(string)
	if !ok {
		return "", "", nil, fmt.Errorf("%s: the pattern is not text", what)
	}
	re, err := regexes.get(pattern, flags)
	if err != nil {
		return "", "", nil, fmt.Errorf("%s: %w", what, err)
	}
	return s, flags, re, nil
}

func rxTest(v any, a []any) any {
	if v == nil {
		return false
	}
	s, _, re, err := rxArgs("test", v, a, maxRegexText)
	if err != nil {
		return err
	}
	return re.MatchString(s)
}

// rxMatch gives what jq's match gives, with the named captures as an object.
func rxMatch(v any, a []any) any {
	s, flags, re, err := rxArgs("match", v, a, maxRegexText)
	if err != nil {
		return err
	}
	n := 1
	if strings.Contains(flags, "g") {
		n = -1
	}
	names := re.SubexpNames()
	out := []any{}
	chars, at := 0, 0 // offsets are in characters
	offset := func(b int) int {
		chars += utf8.RuneCountInString(s[at:b])
		at = b
		return chars
	}
	for _, m := range re.FindAllStringSubmatchIndex(s, n) {
		begin := offset(m[0])
		captures := []any{}
		named := map[string]any{}
		for i := 1; i < len(names); i++ {
			c := map[string]any{"offset": -1, "length": 0, "string": nil, "name": nil}
			if names[i] != "" {
				c["name"] = names[i]
			}
			if m[2*i] >= 0 {
				t := s[m[2*i]:m[2*i+1]]
				c["string"], c["length"] = t, utf8.RuneCountInString(t)
				c["offset"] = begin + utf8.RuneCountInString(s[m[0]:m[2*i]])
			}
			if names[i] != "" {
				named[names[i]] = c["string"]
			}
			captures = append(captures, c)
		}
		out = append(out, map[string]any{
			"offset": begin, "length": utf8.RuneCountInString(s[m[0]:m[1]]), "string": s[m[0]:m[1]],
			"captures": captures, "named": named,
		})
	}
	return out
}

func rxSplit(v any, a []any) any {
	s, _, re, err := rxArgs("split", v, a, maxGlobalText)
	if err != nil {
		return err
	}
	out := []any{}
	for _, p := range re.Split(s, -1) {
		out = append(out, p)
	}
	return out
}

// rxSplice puts the replacements where the matches were.
func rxSplice(v any, a []any) any {
	s, _ := v.(string)
	matches, _ := a[0].([]any)
	repl, _ := a[1].([]any)
	var b strings.Builder
	at, chars := 0, 0
	advance := func(to int) int {
		i := at
		for chars < to && i < len(s) {
			_, w := utf8.DecodeRuneInString(s[i:])
			i += w
			chars++
		}
		return i
	}
	for i, e := range matches {
		m, _ := e.(map[string]any)
		off, _ := m["offset"].(int)
		length, _ := m["length"].(int)
		start := advance(off)
		b.WriteString(s[at:start])
		at = start
		if i < len(repl) {
			b.WriteString(textOf(repl[i]))
		}
		at = advance(off + length)
		if b.Len() > 4<<20 {
			return errors.New("sub: the result is larger than 4 MB")
		}
	}
	b.WriteString(s[at:])
	return b.String()
}
