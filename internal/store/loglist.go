package store

import (
	"context"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// LogFilter narrows a list of entries; the zero one takes all.
type LogFilter struct {
	Kinds []sinew.EntryKind
	Actor string // pseudonym, or "system"
}

// Log lists the entries of a workspace, newest first, for an administrator; to
// anybody else it is empty.
func (db *DB) Log(ctx context.Context, r sinew.Reader, f LogFilter, p Page) (list []sinew.Entry, next string, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		r = sinew.Reader{}
	}
	kinds := make([]string, len(f.Kinds))
	for i, kind := range f.Kinds {
		kinds[i] = string(kind)
	}
	slices.Sort(kinds)
	return listing[sinew.Entry]{
		name: "log entries", filter: strings.Join(kinds, ",") + "\x00" + f.Actor, sort: "-recorded", kind: sinew.IDSnapshot, id: "l.seq", desc: true,
		from: `SELECT ` + entryColumns + entryTables + `WHERE l.workspace_id = ?`,
		args: func(v *view) []any { return []any{v.r.Workspace} },
		more: func(_ *view, q *query) {
			if len(kinds) > 0 {
				in(q.add(` AND `), "l.kind", kinds)
			}
			if f.Actor != "" {
				q.add(` AND l.actor = ?`, f.Actor)
			}
		},
		scan: func(_ *view, row scanner) (sinew.Entry, string, int64, error) {
			e, err := scanEntry(row)
			return e, "", e.Seq, err
		},
	}.page(ctx, db, r, p)
}
