package format

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// TokenPrefix begins every redaction token: sinew:secret:<key id>:<hmac>.
const TokenPrefix = "sinew:secret:"

// Redactor names secret values without telling them.
type Redactor interface {
	// Token is the same for the same value, and stays what it is when the value
	// is a token already.
	Token(value string) string
}

type keyedRedactor struct {
	key []byte
	id  string
}

// NewRedactor makes tokens of HMAC-SHA-256 under key, cut to 128 bits, in hex.
// The key id tells keys apart after a rotation.
func NewRedactor(key []byte, keyID string) Redactor {
	return &keyedRedactor{key: slices.Clone(key), id: tokey(keyID)}
}

func (r *keyedRedactor) Token(value string) string {
	if isToken(value) {
		return value
	}
	mac := hmac.New(sha256.New, r.key)
	_, _ = mac.Write([]byte(value))
	return TokenPrefix + r.id + ":" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// localRedactor numbers values in the order in which a report first tells them:
// good for keeping them out of sight, useless for comparing reports. Offline
// tools match secrets by place.
type localRedactor struct {
	mu sync.Mutex
	n  map[string]int
}

func (r *localRedactor) Token(value string) string {
	if isToken(value) {
		return value
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.n[value]
	if !ok {
		n = len(r.n) + 1
		r.n[value] = n
	}
	return TokenPrefix + "local:" + strconv.Itoa(n)
}

// tokenLen reports how long the token is that s begins with, or 0.
func tokenLen[T string | []byte](s T) int {
	if len(s) <= len(TokenPrefix) || string(s[:len(TokenPrefix)]) != TokenPrefix {
		return 0
	}
	i := len(TokenPrefix)
	id := i
	for i < len(s) && (isLowerAlnum(s[i]) || s[i] == '-') {
		i++
	}
	if i == id || i >= len(s) || s[i] != ':' {
		return 0
	}
	i++
	mac := i
	for i < len(s) && isLowerAlnum(s[i]) {
		i++
	}
	if i == mac {
		return 0
	}
	return i
}

func isLowerAlnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func isToken(s string) bool { n := tokenLen(s); return n > 0 && n == len(s) }

// How long a value must be to be replaced everywhere. Shorter ones say little by
// themselves and would hit innocent text; they are replaced in their own row.
const minGlobalSecret = 6

const (
	maxSecrets     = 200_000
	maxSecretBytes = 16 << 20
)

// Secrets are the values that a report gives away, and their tokens.
type Secrets struct {
	tokens map[string]string
	bytes  int
	match  *matcher
	sealed bool
	local  []localSecret // short values, each with the row that it belongs to
}

type localSecret struct {
	member     string
	start, end int64
	value      string
	token      string
	number     bool // the row tells it as a number of JSON
}

// Count is how many different values are known.
func (s *Secrets) Count() int {
	if s == nil {
		return 0
	}
	return len(s.tokens) + len(s.local)
}

// add records a value of a row.
func (s *Secrets) add(value string, number bool, r Redactor, at *row) error {
	value = strings.TrimSpace(value)
	if value == "" || isToken(value) || masked(value) {
		return nil
	}
	if strings.HasSuffix(value, cutMark) {
		return tooLarge("", "a secret's value is too long to be kept out of the evidence").Hint("the report is refused")
	}
	if number || len(value) < minGlobalSecret {
		if s.sealed {
			return nil // a second look at a file of an archive
		}
		l := localSecret{member: at.member, start: at.start, end: at.end, value: value, token: r.Token(value), number: number}
		if len(s.local) >= maxSecrets {
			return tooLarge("", "the report tells more than %d secret values", maxSecrets).Hint("split the report")
		}
		s.local = append(s.local, l)
		if len(value) < minGlobalSecret {
			return nil
		}
	}
	if s.tokens == nil {
		s.tokens = map[string]string{}
	}
	if _, ok := s.tokens[value]; ok {
		return nil
	}
	if s.bytes += len(value); s.bytes > maxSecretBytes || len(s.tokens) >= maxSecrets {
		return tooLarge("", "the report tells more than %d secret values, or %s of them", maxSecrets, size(maxSecretBytes)).Hint("split the report")
	}
	s.tokens[value] = r.Token(value)
	return nil
}

// masked reports whether the tool has hidden the value itself: REDACTED, ****.
func masked(v string) bool {
	if strings.EqualFold(v, "redacted") || strings.EqualFold(v, "[redacted]") || strings.EqualFold(v, "<redacted>") {
		return true
	}
	return strings.Trim(v, "*xX.•") == ""
}

// seal makes the matcher once all values are known.
func (s *Secrets) seal() {
	s.sealed = true
	s.match = newMatcher(s.tokens)
}

// replace puts tokens for the values in a text of the row at; nil for a text of
// no row.
func (s *Secrets) replace(text string, own []localSecret) string {
	if s.match != nil {
		text = s.match.replace(text)
	}
	for _, l := range own {
		text = replaceWord(text, l.value, l.token)
	}
	return text
}

// own makes the values of a row that are replaced in its own fields only.
func own(values []rowSecret, r Redactor) []localSecret {
	var out []localSecret
	for _, v := range values {
		if len(v.text) < minGlobalSecret || v.number {
			out = append(out, localSecret{value: v.text, token: r.Token(v.text), number: v.number})
		}
	}
	return out
}

// rowSecret is what a secret program gave.
type rowSecret struct {
	text   string
	number bool
}

// numberToken is the token of a number that a row calls a secret, or "".
func numberToken(own []localSecret, v any) string {
	for _, l := range own {
		if l.number && textOf(v) == l.value {
			return l.token
		}
	}
	return ""
}

// replaceWord replaces value where it stands by itself.
func replaceWord(text, value, token string) string {
	var b strings.Builder
	at := 0
	for {
		i := strings.Index(text[at:], value)
		if i < 0 {
			break
		}
		i += at
		end := i + len(value)
		if bounded(text, i, end) && !insideToken(text, i) {
			b.WriteString(text[at:i])
			b.WriteString(token)
		} else {
			b.WriteString(text[at:end])
		}
		at = end
	}
	if at == 0 {
		return text
	}
	b.WriteString(text[at:])
	return b.String()
}

func bounded[T string | []byte](s T, i, end int) bool {
	return (i == 0 || !wordByte(s[i-1])) && (end == len(s) || !wordByte(s[end]))
}

func wordByte(c byte) bool {
	return isLowerAlnum(c) || 'A' <= c && c <= 'Z' || c == '_' || c == '-' || c >= 0x80
}

func insideToken(text string, i int) bool {
	p := strings.LastIndex(text[:i], TokenPrefix)
	if p < 0 {
		// The value may be a part of the prefix itself.
		for off := range len(TokenPrefix) {
			if i >= off && tokenLen(text[i-off:]) > 0 {
				return true
			}
		}
		return false
	}
	return p+tokenLen(text[p:]) > i
}

// matcher finds any of many values in one run over a text: a filter on six
// bytes, then a table by them, longest value first.
type matcher struct {
	filter  [1 << 13]byte
	byHead  map[[minGlobalSecret]byte][]secretValue
	longest int
}

type secretValue struct {
	value, token string
	word         bool // letters only: replaced where it stands by itself, never as a key
}

func newMatcher(tokens map[string]string) *matcher {
	if len(tokens) == 0 {
		return nil
	}
	m := &matcher{byHead: map[[minGlobalSecret]byte][]secretValue{}}
	m.addValue(TokenPrefix, "")
	m.longest = 128 // a token
	for v, t := range tokens {
		m.addValue(v, t)
		if crlf := strings.ReplaceAll(v, "\n", "\r\n"); crlf != v {
			if _, taken := tokens[crlf]; !taken {
				m.addValue(crlf, t)
			}
		}
	}
	for _, l := range m.byHead {
		slices.SortFunc(l, func(a, b secretValue) int {
			return cmp.Or(cmp.Compare(len(b.value), len(a.value)), cmp.Compare(a.value, b.value))
		})
	}
	return m
}

func (m *matcher) addValue(v, token string) {
	head := [minGlobalSecret]byte([]byte(v[:minGlobalSecret]))
	m.byHead[head] = append(m.byHead[head], secretValue{value: v, token: token, word: wordLike(v)})
	h := headHash(v)
	m.filter[h>>3] |= 1 << (h & 7)
	m.longest = max(m.longest, len(v))
}

func wordLike(v string) bool {
	if len(v) >= 16 {
		return false
	}
	for i := range len(v) {
		c := v[i] | 0x20
		if (c < 'a' || c > 'z') && v[i] != '_' {
			return false
		}
	}
	return true
}

func headHash[T string | []byte](s T) uint16 {
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40
	x *= 0x9e3779b97f4a7c15
	return uint16(x >> 48)
}

// at returns the value that stands at s[i:], how long it is, and its token; a
// token in the text is returned with an empty token, to be left alone.
func (m *matcher) at(s []byte, i int) (n int, token string) {
	if len(s)-i < minGlobalSecret {
		return 0, ""
	}
	h := headHash(s[i:])
	if m.filter[h>>3]&(1<<(h&7)) == 0 {
		return 0, ""
	}
	if n := tokenLen(s[i:]); n > 0 {
		return n, ""
	}
	for _, v := range m.byHead[[minGlobalSecret]byte(s[i:i+minGlobalSecret])] {
		if v.token == "" || len(s)-i < len(v.value) || string(s[i:i+len(v.value)]) != v.value {
			continue
		}
		if v.word && (!bounded(s, i, i+len(v.value)) || isName(s, i, i+len(v.value))) {
			continue
		}
		return len(v.value), v.token
	}
	return 0, ""
}

// isName reports whether s[i:end] is a JSON key, an XML name or attribute.
func isName(s []byte, i, end int) bool {
	if i > 0 && (s[i-1] == '"' || s[i-1] == 0) && end < len(s) && (s[end] == '"' || s[end] == 0) {
		for end++; end < len(s) && (s[end] == ' ' || s[end] == '\t' || s[end] == '\n' || s[end] == '\r'); end++ {
		}
		return end < len(s) && s[end] == ':'
	}
	if i > 0 && s[i-1] == '<' || i > 1 && s[i-1] == '/' && s[i-2] == '<' {
		return true
	}
	return end+1 < len(s) && s[end] == '=' && (s[end+1] == '"' || s[end+1] == '\'') && i > 0 && (s[i-1] == ' ' || s[i-1] == '\n' || s[i-1] == '\t')
}

// replace puts tokens into a text: for the values as they are, and as they are
// written when the text itself holds JSON, HTML or XML.
func (m *matcher) replace(text string) string {
	if len(text) < minGlobalSecret {
		return text
	}
	text = m.replaceSpelled(text, spellRaw)
	if strings.ContainsAny(text, "\\&") {
		text = m.replaceSpelled(text, spellMixed)
	}
	return text
}

func (m *matcher) replaceSpelled(text string, sp spelling) string {
	s := []byte(text)
	d := sp.decode(s, true, &quoting{}, &reuse{})
	var out []byte
	last := 0
	for i := 0; i <= len(d.b)-minGlobalSecret; {
		n, token := m.at(d.b, i)
		if n == 0 {
			i++
			continue
		}
		if token != "" {
			out = append(append(out, s[last:d.place(i)]...), token...)
			last = d.place(i + n)
		}
		i += n
	}
	if last == 0 {
		return text
	}
	return string(append(out, s[last:]...))
}

// replaceKey is replace for the name of a member.
func (s *Secrets) replaceKey(k string) string {
	if s.match == nil {
		return k
	}
	t := s.match.replace(`"` + k + `":`)
	return strings.TrimSuffix(strings.TrimPrefix(t, `"`), `":`)
}
