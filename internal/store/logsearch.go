package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// LogSearch asks for entries of the log; the zero one for all of them.
type LogSearch struct {
	Kinds    []sinew.EntryKind
	Actor    string // pseudonym, login, or "system"
	From, To time.Time
	Text     string // found in the payload, upper and lower case alike
	Newest   bool   // the newest first
	Start    int64  // number of the first entry to look at; 0 for the end that the order begins with
	Limit    int
}

// The work of one search for a text: what is left is looked at when the search
// goes on.
const (
	searchEntries = 20_000
	searchBytes   = 64 << 20
	searchPage    = 200
)

// SearchLog finds entries for an administrator; anybody else finds none. next is
// the number at which to go on, 0 at the end; a page may be short, even empty,
// when few entries have the text, because one search looks at a bounded number.
func (db *DB) SearchLog(ctx context.Context, r sinew.Reader, s LogSearch) (list []sinew.Entry, next int64, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, 0, nil
	}
	text := bytes.ToLower([]byte(s.Text))
	looked, size := 0, 0
	at := s.Start
	err = db.view(ctx, r, func(v *view) error {
		for {
			page, err := v.logPage(ctx, s, at)
			if err != nil {
				return err
			}
			for i := range page {
				e := &page[i]
				if len(list) == s.Limit || (len(text) > 0 && (looked == searchEntries || size > searchBytes)) {
					next = e.Seq
					return nil
				}
				looked++
				size += len(e.Payload)
				if len(text) == 0 || bytes.Contains(bytes.ToLower(e.Payload), text) {
					list = append(list, *e)
				}
				at = e.Seq + 1
				if s.Newest {
					at = e.Seq - 1
				}
			}
			if len(page) < searchPage || at == 0 {
				return nil
			}
		}
	})
	if err := allowNothing(err); err != nil {
		return nil, 0, fmt.Errorf("search the log: %w", err)
	}
	return list, next, nil
}

// logPage reads the next entries that fulfil everything but the text.
func (v *view) logPage(ctx context.Context, s LogSearch, at int64) (list []sinew.Entry, err error) {
	q := (&query{}).add(`SELECT `+entryColumns+entryTables+`WHERE l.workspace_id = ?`, v.r.Workspace)
	if at > 0 {
		q.add(` AND l.seq `+map[bool]string{false: ">=", true: "<="}[s.Newest]+` ?`, at)
	}
	if len(s.Kinds) > 0 {
		kinds := make([]string, len(s.Kinds))
		for i, kind := range s.Kinds {
			kinds[i] = string(kind)
		}
		in(q.add(` AND `), "l.kind", slices.Compact(slices.Sorted(slices.Values(kinds))))
	}
	if s.Actor != "" {
		q.add(` AND (l.actor = ? OR l.actor IN (SELECT p2.pseudonym FROM principal p2 WHERE p2.workspace_id = ? AND p2.login = ?))`,
			s.Actor, v.r.Workspace, strings.ToLower(s.Actor))
	}
	if !s.From.IsZero() {
		q.add(` AND l.at >= ?`, micros(s.From))
	}
	if !s.To.IsZero() {
		q.add(` AND l.at < ?`, micros(s.To))
	}
	q.add(` ORDER BY l.seq`+map[bool]string{true: " DESC"}[s.Newest]+` LIMIT ?`, searchPage)
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	return scanEntries(rows)
}
