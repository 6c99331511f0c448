package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// Deployed is a version that runs, or ran, in an environment.
type Deployed struct {
	Seq         int64     `json:"seq"`
	Application string    `json:"application,omitempty"`
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment"`
	Version     string    `json:"version"` // commit or digest
	At          time.Time `json:"at"`
	Live        bool      `json:"live"` // no newer one of the service runs there
}

// Deployed lists the deployments of applications that r may see, newest first.
func (db *DB) Deployed(ctx context.Context, r sinew.Reader, p Page) (list []Deployed, next string, err error) {
	return listing[Deployed]{
		name: "deployments", sort: "-recorded", kind: sinew.IDSnapshot, unit: "f.unit_id", id: "f.seq", desc: true,
		from: `SELECT f.seq, COALESCE(u.name, ''), f.service, f.environment, f.version, f.at,
			CASE WHEN EXISTS (SELECT 1 FROM deployment n WHERE n.space = f.space AND n.unit_id = f.unit_id AND n.service = f.service
				AND n.environment = f.environment AND (n.at > f.at OR (n.at = f.at AND n.seq > f.seq))) THEN 0 ELSE 1 END
			FROM deployment f LEFT JOIN unit u ON u.space = f.space AND u.id = f.unit_id WHERE f.space = ?`,
		args: func(v *view) []any { return []any{v.space.ID} },
		scan: func(_ *view, row scanner) (d Deployed, _ string, _ int64, err error) {
			var at, live int64
			err = row.Scan(&d.Seq, &d.Application, &d.Service, &d.Environment, &d.Version, &at, &live)
			d.At, d.Live = fromMicros(at), live != 0
			return d, "", d.Seq, err
		},
	}.page(ctx, db, r, p)
}

// RefEnd is what happened to a ref.
type RefEnd struct {
	Seq    int64     `json:"seq"`
	Target string    `json:"target"`
	Ref    string    `json:"ref"`
	Event  string    `json:"event"` // merged, closed, deleted
	Into   string    `json:"into,omitempty"`
	At     time.Time `json:"at"`
}

// Refs lists what happened to refs, newest first: of targets that are scanned
// and whose unit r may see.
func (db *DB) Refs(ctx context.Context, r sinew.Reader, p Page) (list []RefEnd, next string, err error) {
	return listing[RefEnd]{
		name: "refs", sort: "-recorded", kind: sinew.IDSnapshot, id: "f.seq", desc: true,
		from: `SELECT f.seq, f.target, f.ref, f.event, f.into_ref, f.at FROM ref_state f WHERE f.space = ?`,
		args: func(v *view) []any { return []any{v.space.ID} },
		more: func(v *view, q *query) {
			q.add(` AND EXISTS (SELECT 1 FROM family m WHERE m.space = f.space AND m.target = f.target`)
			v.visible(q, "m.unit_id")
			q.add(`)`)
		},
		scan: func(_ *view, row scanner) (e RefEnd, _ string, _ int64, err error) {
			var at int64
			err = row.Scan(&e.Seq, &e.Target, &e.Ref, &e.Event, &e.Into, &at)
			e.At = fromMicros(at)
			return e, "", e.Seq, err
		},
	}.page(ctx, db, r, p)
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
		return allowMissing(notFound(err, "no rules"))
	})
	return document, seq, allowNothing(err)
}
