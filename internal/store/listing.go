package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// listing is a list that is paged by a text and an id, or by an id alone.
type listing[T any] struct {
	name   string // of the list, for cursors and errors
	sort   string // the only one it has
	filter string // what it was narrowed by, for cursors
	from   string // SELECT ... FROM ... WHERE condition with ? placeholders
	args   func(v *view) []any
	unit   string // column of the access unit, "" when every reader of the workspace may see the rows
	text   string // expression that it is ordered by, "" for the id alone
	id     string // expression
	desc   bool
	kind   sinew.IDKind // of the ids, for cursors
	more   func(v *view, q *query)
	scan   func(v *view, row scanner) (item T, text string, id int64, err error)
}

// page reads one page of the list.
func (l listing[T]) page(ctx context.Context, db *DB, r sinew.Reader, p Page) (list []T, next string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	if p.Sort != "" && p.Sort != l.sort {
		return nil, "", sinew.Errorf(sinew.CodeInvalid, "%s cannot be sorted by %q", l.name, p.Sort).Hint("use %s", l.sort)
	}
	of := cursorOf(l.name, l.filter)
	after, err := parseCursor(p.After, of, 0)
	if err != nil {
		return nil, "", err
	}
	err = db.view(ctx, r, func(v *view) error {
		list, next, err = l.read(ctx, v, of, after, limit)
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", l.name, err)
	}
	return list, next, nil
}

func (l listing[T]) read(ctx context.Context, v *view, of string, after *cursor, limit int) (list []T, next string, err error) {
	q := (&query{}).add(l.from, l.args(v)...)
	if l.unit != "" {
		v.visible(q, l.unit)
	}
	if l.more != nil {
		l.more(v, q)
	}
	order := order{text: l.text, desc: l.desc}
	if after != nil {
		id, err := sinew.ParsePublicID(v.uuid, l.kind, after.ID)
		if err != nil {
			return nil, "", sinew.Errorf(sinew.CodeInvalid, "the cursor is not one of this list").Hint("begin again without a cursor")
		}
		order.after(q, v.db.dialect, &findingKey{id: id, text: after.Text}, l.id)
	}
	order.by(q, v.db.dialect, l.id)
	rows, err := v.QueryContext(ctx, q.add(` LIMIT ?`, limit+1).String(), q.args...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var end cursor
	for rows.Next() {
		item, text, id, err := l.scan(v, rows)
		if err != nil {
			return nil, "", err
		}
		if len(list) == limit {
			return list, end.String(), nil
		}
		list = append(list, item)
		end = cursor{Of: of, Text: text, ID: v.public(l.kind, id)}
	}
	return list, "", rows.Err()
}
