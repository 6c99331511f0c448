package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Page says which part of a list is wanted.
type Page struct {
	Sort  string // a name of the list's sorts, "-" in front for descending; empty for the usual one
	After string // cursor that the page before ended with; empty for the first page
	Limit int    // 1 to MaxPage; 0 for DefaultPage
}

// The bounds of a page.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

func (p Page) limit() (int, error) {
	if p.Limit < 0 || p.Limit > MaxPage {
		return 0, sinew.Errorf(sinew.CodeInvalid, "a page has 1 to %d rows, not %d", MaxPage, p.Limit)
	}
	if p.Limit == 0 {
		return DefaultPage, nil
	}
	return p.Limit, nil
}

// cursor is where a page ended: bound to the list, filter and order it came
// from, so that it cannot be taken elsewhere by mistake. It holds values of the
// last row's sort keys, and the public form of its id.
type cursor struct {
	Version int    `json:"v"`
	Of      string `json:"of"` // digest of list, filter and sort
	Numbers []int64
	Text    string
	ID      string
}

// cursorOf digests what a cursor is bound to.
func cursorOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (c cursor) String() string {
	c.Version = 1
	b, _ := json.Marshal(c) // numbers and strings always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads what a sender gave back. Whatever it holds is only ever
// compared with.
func parseCursor(s, of string, numbers int) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	bad := sinew.Errorf(sinew.CodeInvalid, "the cursor is not one of this list").Hint("begin again without a cursor")
	if len(s) > 8<<10 {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil || c.Version != 1 || c.Of != of || len(c.Numbers) != numbers {
		return nil, bad
	}
	if strings.ContainsRune(c.Text, 0) {
		return nil, bad
	}
	return &c, nil
}
