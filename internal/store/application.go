package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Application is an access unit with its numbers.
type Application struct {
	Unit         int64    `json:"-"` // local id, for grants and tokens
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Organisation string   `json:"organisation,omitempty"`
	BusinessUnit string   `json:"business_unit,omitempty"`
	Services     []string `json:"services,omitempty"`
	Gone         bool     `json:"gone,omitempty"` // no rule names it any more
	Active       int64    `json:"active"`         // findings
}

// Applications lists the applications that r may see, by name.
func (db *DB) Applications(ctx context.Context, r sinew.Reader, p Page) (list []Application, next string, err error) {
	return listing[Application]{
		name: "applications", sort: "name", kind: sinew.IDUnit, unit: "f.id", text: "f.name", id: "f.id",
		from: `SELECT f.id, f.name, f.organisation, f.businessunit, f.services, f.gone,
			(SELECT COALESCE(SUM(c.n), 0) FROM counter c WHERE c.space = f.space AND c.unit_id = f.id AND c.dim = 'severity')
			FROM unit f WHERE f.space = ?`,
		args: func(v *view) []any { return []any{v.space.ID} },
		scan: func(v *view, row scanner) (a Application, _ string, _ int64, err error) {
			err = a.scan(v, row)
			return a, a.Name, a.Unit, err
		},
	}.page(ctx, db, r, p)
}

func (a *Application) scan(v *view, row scanner) error {
	var services string
	var gone int
	if err := row.Scan(&a.Unit, &a.Name, &a.Organisation, &a.BusinessUnit, &services, &gone, &a.Active); err != nil {
		return err
	}
	a.ID, a.Gone = v.public(sinew.IDUnit, a.Unit), gone != 0
	if services == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(services), &a.Services); err != nil {
		return fmt.Errorf("services of application %q: %w", a.Name, err)
	}
	return nil
}

// UnitByName finds the access unit of an application that r may see; the
// unassigned one by [UnassignedName] or "".
func (db *DB) UnitByName(ctx context.Context, r sinew.Reader, name string) (unit int64, err error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no application %.100q", name).Hint("`sinew app list` names them")
	err = db.view(ctx, r, func(v *view) error {
		if name == "" || name == UnassignedName {
			unit = sinew.UnassignedUnit
			if !r.Can(sinew.RoleViewer, unit) {
				return missing
			}
			return nil
		}
		q := (&query{}).add(`SELECT f.id FROM unit f WHERE f.space = ? AND f.name = ?`, v.space.ID, name)
		v.visible(q, "f.id")
		ids, err := v.column(ctx, q)
		if err == nil && len(ids) == 0 {
			return missing
		}
		if err == nil {
			unit = ids[0]
		}
		return err
	})
	if errors.Is(err, errNothing) {
		return 0, missing
	}
	return unit, err
}

// UnitNames gives the names of the units that r may see, for lists that hold
// unit ids.
func (db *DB) UnitNames(ctx context.Context, r sinew.Reader) (names map[int64]string, err error) {
	names = map[int64]string{}
	err = db.view(ctx, r, func(v *view) error {
		q := (&query{}).add(`SELECT f.id, f.name FROM unit f WHERE f.space = ?`, v.space.ID)
		v.visible(q, "f.id")
		rows, err := v.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var name string
			if err := rows.Scan(&id, &name); err != nil {
				return err
			}
			names[id] = name
		}
		if r.Can(sinew.RoleViewer, sinew.UnassignedUnit) {
			names[sinew.UnassignedUnit] = UnassignedName
		}
		return rows.Err()
	})
	return names, allowNothing(err)
}

func allowNothing(err error) error {
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// Rules gives the newest rule set and the entry that set it, for an
// administrator; "" before the first.
func (db *DB) Rules(ctx context.Context, r sinew.Reader) (document string, seq int64, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return "", 0, errDenied
	}
	err = db.view(ctx, r, func(v *view) error {
		err := v.QueryRowContext(ctx, `SELECT document, seq FROM ruleset WHERE space = $1`, v.space.ID).Scan(&document, &seq)
		return allow(notFound(err, "no rules"), sinew.CodeNotFound)
	})
	return document, seq, allowNothing(err)
}
