package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// nameColumns are the fields that one text column of finding answers.
var nameColumns = map[string]string{
	"rule": "f.rule", "service": "f.service", "file": "f.file", "package": "f.package",
	"purl": "f.purl", "image": "f.image", "host": "f.host", "resource": "f.resource", "endpoint": "f.endpoint",
	"owner": "f.owner", "class": "f.class", "cause": "f.cause",
}

// textColumns are searched by words without a field.
var textColumns = []string{"f.title", "f.rule", "f.ids", "f.file", "f.package", "f.host", "f.resource", "f.endpoint"}

// lastSeen is when a finding was last seen: while it is observed, that is the
// place's doing, so that an unchanged scan changes no finding.
const lastSeen = `CASE WHEN f.last_seen <> 0 THEN f.last_seen WHEN pl.seen_at > f.first_seen THEN pl.seen_at ELSE f.first_seen END`

// lastSeenJoin is needed where lastSeen is used.
const lastSeenJoin = ` JOIN place pl ON pl.space = f.space AND pl.id = f.place_id`

// access says how findings that fulfil a filter are best found when the order
// does not help.
type access struct {
	family bool // few enough by family
	unit   bool // few enough by unit
	ids    bool // few enough by id
}

// few reports whether any index finds few enough.
func (a access) few() bool { return a.family || a.unit || a.ids }

// from gives the FROM clause: SQLite keeps no statistics and is told which way
// to go, PostgreSQL knows.
func (a access) from(d dialect) string {
	text := ` FROM finding f`
	switch {
	case d.engine != "sqlite" || a.ids:
	case a.family:
		text += ` INDEXED BY finding_family`
	case a.unit:
		text += ` INDEXED BY finding_unit`
	default:
		text += ` NOT INDEXED`
	}
	return text
}

// compile appends the conditions of a query on finding f, each beginning with
// AND. Values are arguments, always.
func (v *view) compile(ctx context.Context, q *query, f *filter.Query) (a access, err error) {
	if f == nil {
		f = &filter.Query{}
	}
	for _, t := range f.Terms {
		if t.Field == "kev" {
			q.add(` AND 1 = 0`) // unknown is neither yes nor no
			continue
		}
		few := false
		if t.Negated {
			q.add(` AND NOT (`)
		} else {
			q.add(` AND (`)
		}
		if few, err = v.term(ctx, q, t); err != nil {
			return a, fmt.Errorf("filter %s: %w", t, err)
		}
		q.add(`)`)
		few = few && !t.Negated
		a.family = a.family || (few && (t.Field == "target" || t.Field == "source"))
		a.unit = a.unit || (few && t.Field == "app")
		a.ids = a.ids || (few && (t.Field == "ref" || t.Field == "env" || t.Field == "place"))
	}
	return a, nil
}

// term appends one condition. few says that an index finds what fulfils it, and
// that it is little.
func (v *view) term(ctx context.Context, q *query, t filter.Term) (few bool, err error) {
	if column, ok := nameColumns[t.Field]; ok {
		v.names(q, column, t)
		return false, nil
	}
	switch t.Field {
	case "tool":
		v.tools(q, t)
	case "severity":
		in(q, "f.severity", ranks(t))
	case "is":
		states(q, t)
	case "cwe":
		either(q, t.Values, func(value string) {
			if value == "none" {
				q.add(`f.cwe = ''`)
				return
			}
			q.add(`f.cwe LIKE ?`, "% "+value+" %")
		})
	case "id":
		v.ids(q, t)
	case "line":
		op, err := comparison(t.Op)
		if err != nil {
			return false, err
		}
		either(q, t.Numbers(), func(n int64) { q.add(`f.line `+op+` ?`, n) })
	case "first":
		v.times(q, "f.first_seen", t)
	case "since":
		v.times(q, "f.since", t)
	case "last":
		return false, v.lastSeen(ctx, q, t)
	case "text":
		either(q, t.Values, func(value string) {
			either(q, textColumns, func(column string) { v.like(q, column, "%"+escapeLike(value)+"%") })
		})
	case "app":
		return v.units(ctx, q, t)
	case "target", "source":
		return v.families(ctx, q, t)
	case "ref", "env", "place":
		return v.places(ctx, q, t)
	default:
		return false, sinew.Errorf(sinew.CodeInvalid, "the field %s cannot be asked about", t.Field)
	}
	return false, nil
}

func ranks(t filter.Term) (ranks []int) {
	for _, s := range t.Severities() {
		ranks = append(ranks, s.Rank())
	}
	return ranks
}

// either joins alternatives; none of none is fulfilled.
func either[T any](q *query, values []T, add func(T)) {
	if len(values) == 0 {
		q.add(`1 = 0`)
	}
	for i, value := range values {
		if i > 0 {
			q.add(` OR `)
		}
		add(value)
	}
}

func comparison(op string) (string, error) {
	switch op {
	case "=", "<", ">", "<=", ">=":
		return op, nil
	}
	return "", sinew.Errorf(sinew.CodeInvalid, "unknown comparison %q", op)
}

func states(q *query, t filter.Term) {
	list, reopened := t.States()
	if slices.Contains(t.Values, filter.IsMerged) {
		q.add(`f.lead < 0 OR `)
	}
	if slices.Contains(t.Values, filter.IsDuplicate) {
		q.add(`f.lead > 0 OR `)
	}
	active := 0
	for _, s := range list {
		if s.Active() {
			active++
		}
	}
	switch {
	case active == 5 && len(list) == 5: // all there are
		q.add(`f.active = 1`)
	case len(list) > 0 && active == len(list):
		in(q.add(`f.active = 1 AND `), "f.state", list)
	case len(list) > 0 && active == 0:
		in(q.add(`f.active = 0 AND `), "f.state", list)
	default:
		in(q, "f.state", list)
	}
	if reopened {
		q.add(` OR f.reopened > 0`)
	}
}

// names compares one text column, the case of ASCII letters aside. * stands for
// anything; the operator ~ finds the value anywhere.
func (v *view) names(q *query, column string, t filter.Term) {
	either(q, t.Values, func(value string) {
		field, _ := filter.Lookup(t.Field)
		switch {
		case t.Op == "==":
			q.add(column+` = ?`, value)
		case t.Op == "~":
			v.like(q, column, "%"+escapeLike(value)+"%")
		case filter.IsNone(field, value):
			q.add(column + ` = ''`)
		default:
			v.like(q, column, globLike(value))
		}
	})
}

func (v *view) like(q *query, expr, pattern string) {
	q.add(expr+` `+v.db.dialect.like+` ? ESCAPE '\'`, pattern)
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

func globLike(s string) string { return strings.ReplaceAll(escapeLike(s), `*`, `%`) }

// tools looks for the tool that reported a finding, and for those of what is part
// of it.
func (v *view) tools(q *query, t filter.Term) {
	v.names(q, "f.tool", t)
	for _, value := range t.Values {
		switch t.Op {
		case "~":
			value = "%" + escapeLike(value) + "%"
		case "==":
			value = "%" + toolSeparator + escapeLike(value) + toolSeparator + "%"
		default:
			value = "%" + toolSeparator + globLike(value) + toolSeparator + "%"
		}
		v.like(q.add(` OR (f.lead < 0 AND `), "f.tools", value)
		q.add(`)`)
	}
}

// ids looks in the column of ids, which are between spaces.
func (v *view) ids(q *query, t filter.Term) {
	either(q, t.Values, func(value string) {
		switch {
		case t.Op == "~":
			v.like(q, "f.ids", "%"+escapeLike(value)+"%")
			v.like(q.add(` OR `), "f.also", "%"+escapeLike(value)+"%")
		case value == "none":
			q.add(`f.ids = '' AND f.also = ''`)
		default:
			v.like(q, "f.ids", "% "+globLike(value)+" %")
			v.like(q.add(` OR `), "f.also", "% "+globLike(value)+" %")
		}
	})
}

func (v *view) times(q *query, expr string, t filter.Term) {
	either(q, t.Times(v.now), func(i filter.Interval) {
		q.add(expr+` >= ?`, micros(i.From))
		if !i.To.IsZero() {
			q.add(` AND `+expr+` < ?`, micros(i.To))
		}
	})
}

// lastSeen asks for when a finding was last seen without joining the place of
// each: for findings that are still seen, the bounds are turned into sets of
// places. max(place, first) is in [from, to) when both are before to and either
// is not before from.
func (v *view) lastSeen(ctx context.Context, q *query, t filter.Term) error {
	var failed error
	either(q, t.Times(v.now), func(i filter.Interval) {
		from, to := micros(i.From), micros(i.To)
		if i.To.IsZero() {
			to = math.MaxInt64
		}
		late, err := v.column(ctx, (&query{}).add(`SELECT f.id FROM place f WHERE f.space = ? AND f.seen_at >= ?`, v.space.ID, from))
		failed = errors.Join(failed, err)
		early, err := v.column(ctx, (&query{}).add(`SELECT f.id FROM place f WHERE f.space = ? AND f.seen_at < ?`, v.space.ID, to))
		failed = errors.Join(failed, err)
		q.add(`(f.last_seen <> 0 AND f.last_seen >= ? AND f.last_seen < ?) OR (f.last_seen = 0 AND f.first_seen < ? AND (f.first_seen >= ? OR `,
			from, to, to, from)
		inIDs(v.db.dialect, q, "f.place_id", late)
		q.add(`) AND `)
		inIDs(v.db.dialect, q, "f.place_id", early)
		q.add(`)`)
	})
	return failed
}

// units resolves application names first: few rows, and the plan is then made
// for numbers. Rows that the reader may not see stay out by their own unit.
func (v *view) units(ctx context.Context, q *query, t filter.Term) (few bool, err error) {
	ids, err := v.unitIDs(ctx, t)
	if err != nil {
		return false, err
	}
	if few, err = v.fewIn(ctx, ids); err != nil {
		return false, err
	}
	inIDs(v.db.dialect, q, map[bool]string{true: "f.unit_id", false: "+f.unit_id"}[few], ids)
	return few, nil
}

func (v *view) unitIDs(ctx context.Context, t filter.Term) ([]int64, error) {
	sub := (&query{}).add(`SELECT f.id FROM unit f WHERE f.space = ? AND (`, v.space.ID)
	v.names(sub, "f.name", t)
	ids, err := v.column(ctx, sub.add(`)`))
	if t.Op == "=" && slices.Contains(t.Values, "none") {
		ids = append(ids, sinew.UnassignedUnit)
	}
	return ids, err
}

// fewIn reports whether the units hold few findings.
func (v *view) fewIn(ctx context.Context, units []int64) (bool, error) {
	q := (&query{}).add(`SELECT COALESCE(SUM(n), 0) FROM counter WHERE space = ? AND dim = 'state' AND `, v.space.ID)
	inIDs(v.db.dialect, q, "unit_id", units)
	var n int64
	err := v.QueryRowContext(ctx, q.String(), q.args...).Scan(&n)
	return n < fewFindings, err
}

// The most that is looked up by an index and then sorted; beyond that the
// segments are faster.
const (
	fewFindings  = 4_000
	fewPresences = 5_000
)

func (v *view) families(ctx context.Context, q *query, t filter.Term) (few bool, err error) {
	ids, err := v.familyIDs(ctx, t)
	if err != nil {
		return false, err
	}
	if few, err = v.few(ctx, `SELECT 1 FROM finding f WHERE f.space = ? AND `, "f.family_id", ids, fewFindings); err != nil {
		return false, err
	}
	inIDs(v.db.dialect, q, map[bool]string{true: "f.family_id", false: "+f.family_id"}[few], ids)
	return few, nil
}

func (v *view) familyIDs(ctx context.Context, t filter.Term) ([]int64, error) {
	column := map[string]string{"target": "f.target", "source": "f.source"}[t.Field]
	sub := (&query{}).add(`SELECT f.id FROM family f WHERE f.space = ? AND (`, v.space.ID)
	v.names(sub, column, t)
	return v.column(ctx, sub.add(`)`))
}

// few reports whether fewer rows than limit have one of the ids.
func (v *view) few(ctx context.Context, text, column string, ids []int64, limit int) (bool, error) {
	count := (&query{}).add(`SELECT COUNT(*) FROM (`+text, v.space.ID)
	inIDs(v.db.dialect, count, column, ids)
	var n int
	err := v.QueryRowContext(ctx, count.add(` LIMIT ?) few`, limit).String(), count.args...).Scan(&n)
	return n < limit, err
}

// places asks for a presence in one of the places that fulfil the term, or, for
// env:none, for none in any environment.
func (v *view) places(ctx context.Context, q *query, t filter.Term) (few bool, err error) {
	if t.Field != "env" || t.Op != "=" || !slices.Contains(t.Values, "none") {
		return v.present(ctx, q, t)
	}
	q.add(`NOT `)
	if _, err := v.present(ctx, q, filter.Term{Field: "env"}); err != nil { // any at all
		return false, err
	}
	t.Values = slices.DeleteFunc(slices.Clone(t.Values), func(value string) bool { return value == "none" })
	if len(t.Values) > 0 {
		_, err = v.present(ctx, q.add(` OR `), t)
	}
	return false, err
}

// present asks for a presence in one of the places that fulfil the term: one
// that still counts, unless the finding is closed altogether.
func (v *view) present(ctx context.Context, q *query, t filter.Term) (few bool, err error) {
	sub := (&query{}).add(`SELECT f.id FROM place f WHERE f.space = ? AND (`, v.space.ID)
	switch {
	case t.Field == "place":
		in(sub, "f.kind", t.Values)
	case t.Field == "ref":
		v.names(sub, "f.ref", t)
	case len(t.Values) == 0:
		sub.add(`f.environment <> ''`)
	default:
		v.names(sub, "f.environment", t)
	}
	ids, err := v.column(ctx, sub.add(`)`))
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		q.add(`(1 = 0)`)
		return false, nil
	}
	if few, err = v.few(ctx, `SELECT 1 FROM presence p WHERE p.space = ? AND `, "p.place_id", ids, fewPresences); err != nil {
		return false, err
	}
	if few {
		q.add(`f.id IN (SELECT p.finding_id FROM presence p WHERE p.space = ?`, v.space.ID)
	} else {
		q.add(`EXISTS (SELECT 1 FROM presence p WHERE p.space = ? AND p.finding_id = f.id`, v.space.ID)
	}
	v.current(q, "p")
	q.add(` AND (p.state IN ('observed', 'not_observed', 'scope_lost') OR f.state IN ('fixed', 'gone')) AND `)
	inIDs(v.db.dialect, q, map[bool]string{true: "p.place_id", false: "+p.place_id"}[few], ids)
	q.add(`)`)
	return few, nil
}

func (v *view) column(ctx context.Context, q *query) ([]int64, error) {
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	return scanColumn[int64](rows)
}
