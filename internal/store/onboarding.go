package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Step is something that a new workspace wants done.
type Step struct {
	ID   string    `json:"id"`
	Done bool      `json:"done"`
	At   time.Time `json:"at,omitzero"` // when it was first done, where that is known
}

// steps are the questions whether something was done. Each gives the number of
// things, and when the first was made.
var steps = []struct {
	id     string
	admins bool // nobody else may know
	least  int64
	ask    func(v *view, q *query)
}{
	{"first_report", false, 1, func(v *view, q *query) {
		q.add(`SELECT COUNT(*), COALESCE(MIN(f.received_at), 0) FROM snapshot f WHERE f.space = ?`, v.space.ID)
		v.visible(q, "f.unit_id")
	}},
	{"applications", false, 1, func(v *view, q *query) {
		q.add(`SELECT COUNT(*), 0 FROM unit f WHERE f.space = ? AND f.gone = 0`, v.space.ID)
		v.visible(q, "f.id")
	}},
	{"first_decision", false, 1, func(v *view, q *query) {
		q.add(`SELECT COUNT(*), COALESCE(MIN(f.at), 0) FROM decision f WHERE f.space = ?`, v.space.ID)
		if _, all := v.visibleUnits(); !all {
			q.add(` AND EXISTS (SELECT 1` + decidedOn)
			v.current(q, "x")
			v.visible(q, "+x.unit_id")
			q.add(`)`)
		}
	}},
	{"ci_token", false, 1, func(v *view, q *query) {
		// Those of a day or less are of people who sign in.
		q.add(`SELECT COUNT(*), COALESCE(MIN(f.created_at), 0) FROM token f WHERE f.workspace_id = ? AND f.revoked_at IS NULL AND f.expires_at > ?
			AND f.expires_at - f.created_at > ? AND f.role <> 'viewer'`, v.r.Workspace, micros(v.now), (24 * time.Hour).Microseconds())
		if !v.r.All.Allows(sinew.RoleAdmin) {
			q.add(` AND f.pseudonym = ?`, v.r.Principal)
		}
	}},
	{"second_user", true, 2, func(v *view, q *query) {
		q.add(`SELECT COUNT(*), COALESCE(MAX(f.created_at), 0) FROM principal f WHERE f.workspace_id = ? AND f.login IS NOT NULL AND f.disabled_at IS NULL`,
			v.r.Workspace)
	}},
	{"provider", true, 1, func(v *view, q *query) {
		q.add(`SELECT COUNT(*), 0 FROM provider f WHERE f.workspace_id = ?`, v.r.Workspace)
	}},
}

// Onboarding says which first steps were done, as far as r may know: a step that
// is about what he cannot see is left out.
func (db *DB) Onboarding(ctx context.Context, r sinew.Reader) (list []Step, err error) {
	err = db.view(ctx, r, func(v *view) error {
		for _, s := range steps {
			if s.admins && !r.All.Allows(sinew.RoleAdmin) {
				continue
			}
			q := &query{}
			s.ask(v, q)
			var n, at int64
			if err := v.QueryRowContext(ctx, q.String(), q.args...).Scan(&n, &at); err != nil {
				return fmt.Errorf("step %s: %w", s.id, err)
			}
			step := Step{ID: s.id, Done: n >= s.least}
			if step.Done {
				step.At = fromMicros(at)
			}
			list = append(list, step)
		}
		return nil
	})
	if err := allowNothing(err); err != nil {
		return nil, fmt.Errorf("first steps: %w", err)
	}
	return list, nil
}
