package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// DecisionInfo is what somebody decided about findings, as a whole.
type DecisionInfo struct {
	ID       string        `json:"id"`
	Seq      int64         `json:"seq"`
	At       time.Time     `json:"at"`
	By       string        `json:"by"` // pseudonym
	ByName   string        `json:"by_name,omitempty"`
	Verdict  sinew.Verdict `json:"verdict,omitempty"` // absent where an earlier decision was taken back
	Reason   string        `json:"reason,omitempty"`
	Until    time.Time     `json:"until,omitzero"`
	Owner    string        `json:"owner,omitempty"`
	Findings int64         `json:"findings"`            // that it was applied to, and the reader sees
	Undoes   string        `json:"undoes,omitempty"`    // id of the decision that it took back
	UndoneBy string        `json:"undone_by,omitempty"` // id of the newest one that took it back
}

// decidedOn joins the findings that the decision of f is about, as they are now.
const decidedOn = ` FROM verdict b JOIN finding x ON x.space = b.space AND x.id = COALESCE((SELECT r.new_id FROM redirect r
	WHERE r.space = b.space AND r.old_id = b.birth_id AND r.gen_to IS NULL), b.birth_id) WHERE b.space = f.space AND b.seq = f.seq`

// Decisions lists what was decided about findings that r may see, newest first.
func (db *DB) Decisions(ctx context.Context, r sinew.Reader, p Page) (list []DecisionInfo, next string, err error) {
	list, next, err = listing[DecisionInfo]{
		name: "decisions", sort: "-recorded", kind: sinew.IDDecision, id: "f.seq", desc: true,
		from: `SELECT f.seq, f.at, f.actor, f.verdict, f.until, f.owner, f.findings, f.undoes,
			COALESCE((SELECT MAX(u.seq) FROM decision u WHERE u.space = f.space AND u.undoes = f.seq), 0), p.payload,
			COALESCE(w.name, ''), COALESCE(w.login, '')
			FROM decision f LEFT JOIN log_payload p ON p.workspace_id = ? AND p.seq = f.seq
			LEFT JOIN principal w ON w.workspace_id = ? AND w.pseudonym = f.actor WHERE f.space = ?`,
		args: func(v *view) []any { return []any{v.r.Workspace, v.r.Workspace, v.space.ID} },
		more: func(v *view, q *query) {
			if _, all := v.visibleUnits(); !all {
				q.add(` AND EXISTS (SELECT 1` + decidedOn)
				v.current(q, "x")
				v.visible(q, "+x.unit_id")
				q.add(`)`)
			}
		},
		scan: func(v *view, row scanner) (d DecisionInfo, _ string, _ int64, err error) {
			err = d.scan(v, row)
			return d, "", d.Seq, err
		},
	}.page(ctx, db, r, p)
	if err != nil || len(list) == 0 {
		return nil, "", err
	}
	err = db.view(ctx, r, func(v *view) error {
		if _, all := v.visibleUnits(); all {
			return nil
		}
		for i := range list {
			if list[i].Findings, err = v.decidedCount(ctx, list[i].Seq); err != nil {
				return fmt.Errorf("list decisions: %w", err)
			}
		}
		return nil
	})
	return list, next, allowNothing(err)
}

func (d *DecisionInfo) scan(v *view, row scanner) error {
	var at, until, undoes, undone int64
	var payload []byte
	var name, login string
	if err := row.Scan(&d.Seq, &at, &d.By, &d.Verdict, &until, &d.Owner, &d.Findings, &undoes, &undone, &payload, &name, &login); err != nil {
		return err
	}
	var said sinew.Decision // the payload may have been deleted
	if json.Unmarshal(payload, &said) == nil {
		d.Reason = said.Reason
	}
	d.ByName = name
	if name == "" {
		d.ByName = login
	}
	d.ID, d.At, d.Until = v.decisionID(d.Seq), fromMicros(at), fromMicros(until)
	d.Undoes, d.UndoneBy = v.decisionID(undoes), v.decisionID(undone)
	return nil
}

// decisionID is the public id of the decision of an entry, "" for none.
func (v *view) decisionID(seq int64) string {
	local, err := sinew.LocalID(seq, 0)
	if err != nil || seq == 0 {
		return ""
	}
	return v.public(sinew.IDDecision, local)
}

// decidedCount counts the findings of a decision that the reader sees.
func (v *view) decidedCount(ctx context.Context, seq int64) (n int64, err error) {
	q := (&query{}).add(`SELECT COUNT(DISTINCT s.id) FROM (SELECT x.id FROM verdict b JOIN finding x ON x.space = b.space AND x.id = COALESCE((SELECT r.new_id
		FROM redirect r WHERE r.space = b.space AND r.old_id = b.birth_id AND r.gen_to IS NULL), b.birth_id) WHERE b.space = ? AND b.seq = ?`, v.space.ID, seq)
	v.current(q, "x")
	v.visible(q, "+x.unit_id")
	q.add(` AND x.lead <= 0`)
	return n, v.QueryRowContext(ctx, q.add(`) s`).String(), q.args...).Scan(&n)
}

// Decided is a finding that a decision is about.
type Decided struct {
	Birth   int64 // that was named
	Finding int64 // that it is part of now
	Shown   int64 // that it is shown as: itself, or the one that leads its cluster
	Unit    int64
}

// DecidedOn gives the findings of a decision that r sees, by birth. A decision
// of which he sees none is not found, like one that isn't there.
func (db *DB) DecidedOn(ctx context.Context, r sinew.Reader, id string) (seq int64, list []Decided, err error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no decision %.40s", id)
	err = db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDDecision, id)
		if err != nil {
			return missing
		}
		seq, _ = sinew.SplitLocalID(local)
		q := (&query{}).add(`SELECT b.birth_id, x.id, CASE WHEN x.lead > 0 THEN x.lead ELSE x.id END, x.unit_id FROM decision f JOIN verdict b ON b.space = f.space AND b.seq = f.seq
			JOIN finding x ON x.space = b.space AND x.id = COALESCE((SELECT r.new_id FROM redirect r
				WHERE r.space = b.space AND r.old_id = b.birth_id AND r.gen_to IS NULL), b.birth_id)
			WHERE f.space = ? AND f.seq = ?`, v.space.ID, seq)
		v.current(q, "x")
		v.visible(q, "+x.unit_id")
		rows, err := v.QueryContext(ctx, q.add(` ORDER BY b.birth_id`).String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Decided
			if err := rows.Scan(&d.Birth, &d.Finding, &d.Shown, &d.Unit); err != nil {
				return err
			}
			list = append(list, d)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if len(list) == 0 {
			return missing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = missing
	}
	if err != nil {
		return 0, nil, fmt.Errorf("show decision: %w", err)
	}
	return seq, list, nil
}

// Target is a finding that something is to be done to.
type Target struct {
	ID    string
	Unit  int64
	State sinew.FindingState

	Application string // the unit's name; "" for none
}

// Targets gives the findings that fulfil a filter and that r may see, at most
// limit of them, by id; more says that there are others. Unlike a list it is one
// moment, and reads no more than it gives.
func (db *DB) Targets(ctx context.Context, r sinew.Reader, f *filter.Query, limit int) (list []Target, more bool, err error) {
	err = db.view(ctx, r, func(v *view) error {
		where, found, err := v.matching(ctx, f)
		if err != nil {
			return err
		}
		q := (&query{args: where.args}).add(`SELECT f.id, f.unit_id, f.state` + found.from(v.db.dialect) + where.String())
		rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.id LIMIT ?`, limit+1).String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var t Target
			if err := rows.Scan(&id, &t.Unit, &t.State); err != nil {
				return err
			}
			t.ID = v.public(sinew.IDFinding, id)
			list = append(list, t)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return v.nameTargets(ctx, list)
	})
	if err := allowNothing(err); err != nil {
		return nil, false, fmt.Errorf("find findings: %w", err)
	}
	if len(list) > limit {
		list, more = list[:limit], true
	}
	return list, more, nil
}

// TargetsNamed gives findings that r sees by their ids, each once; an id that
// was merged gives what it is part of now. One that he may not see is not found.
func (db *DB) TargetsNamed(ctx context.Context, r sinew.Reader, ids []string) (list []Target, err error) {
	missing := func(id string) error { return sinew.Errorf(sinew.CodeNotFound, "there is no finding %.40s", id) }
	if len(ids) == 0 {
		return nil, nil
	}
	seen := map[int64]bool{}
	err = db.view(ctx, r, func(v *view) error {
		for _, id := range ids {
			local, err := sinew.ParsePublicID(v.uuid, sinew.IDFinding, id)
			if err != nil {
				return missing(id)
			}
			row, _, err := v.findFinding(ctx, local)
			if err != nil || row == nil {
				return errors.Join(err, notNil(row, missing(id)))
			}
			if !seen[row.ID] {
				seen[row.ID] = true
				list = append(list, Target{ID: v.public(sinew.IDFinding, row.ID), Unit: row.Unit, State: row.State})
			}
		}
		return v.nameTargets(ctx, list)
	})
	if errors.Is(err, errNothing) {
		err = missing(ids[0])
	}
	if err != nil {
		return nil, fmt.Errorf("find findings: %w", err)
	}
	return list, nil
}

// nameTargets fills in the names of their applications.
func (v *view) nameTargets(ctx context.Context, list []Target) error {
	units := map[int64]bool{}
	for _, t := range list {
		units[t.Unit] = true
	}
	names, err := v.unitNames(ctx, slices.Collect(maps.Keys(units)))
	for i := range list {
		list[i].Application = names[list[i].Unit]
	}
	return err
}
