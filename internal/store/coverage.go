package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// CoverageCell is one application and one test of the coverage matrix.
type CoverageCell struct {
	Application  string               `json:"application"` // "" for what belongs to none
	BusinessUnit string               `json:"businessunit,omitempty"`
	Organisation string               `json:"organisation,omitempty"`
	Test         identity.Test        `json:"test"`
	Required     bool                 `json:"required"`
	Every        float64              `json:"every"` // days; 0 for once
	Tools        []string             `json:"tools"`
	Last         time.Time            `json:"last,omitzero"`
	Due          time.Time            `json:"due,omitzero"`
	Gap          identity.Gap         `json:"gap"`
	Scope        sinew.CoverageStatus `json:"scope,omitempty"`
	Basis        sinew.Basis          `json:"basis,omitempty"`
	Streams      int                  `json:"streams"`
	StreamIDs    []string             `json:"stream_ids"` // those whose unit the reader sees
}

// Coverage gives the matrix of the applications that r may see and the tests:
// when each was last done, by what, how completely, and what is missing. What is
// required stands in the rules.
func (db *DB) Coverage(ctx context.Context, r sinew.Reader) (list []CoverageCell, err error) {
	err = db.view(ctx, r, func(v *view) error {
		rules, err := v.rules(ctx)
		if err != nil {
			return err
		}
		apps, err := v.coveredUnits(ctx)
		if err != nil {
			return err
		}
		scans, ids, err := v.scans(ctx, rules, apps)
		if err != nil {
			return err
		}
		names := make([]string, len(apps))
		place := make(map[string]*Application, len(apps))
		for i := range apps {
			names[i] = apps[i].Name
			place[apps[i].Name] = &apps[i]
		}
		for _, c := range rules.Matrix(names, scans, v.now) {
			if a := place[c.Application]; a.Unit != sinew.UnassignedUnit || len(c.Streams) > 0 {
				list = append(list, newCoverageCell(&c, a, ids))
			}
		}
		return nil
	})
	if err := allowNothing(err); err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	return list, nil
}

func newCoverageCell(c *identity.Cell, a *Application, ids []string) CoverageCell {
	out := CoverageCell{
		Application: c.Application, BusinessUnit: a.BusinessUnit, Organisation: a.Organisation, Test: c.Test,
		Required: c.Need.Required, Every: c.Need.Every.Hours() / 24, Tools: append([]string{}, c.Tools...), Last: c.Last, Due: c.Due, Gap: c.Gap,
		Scope: c.Scope, Basis: c.Basis, Streams: len(c.Streams), StreamIDs: []string{},
	}
	for _, s := range c.Streams {
		if ids[s] != "" {
			out.StreamIDs = append(out.StreamIDs, ids[s])
		}
	}
	return out
}

// rules gives the rules in force, for the store's own use: readers who are no
// administrators see what follows from them, not the document.
func (v *view) rules(ctx context.Context) (*identity.Rules, error) {
	var document string
	err := v.QueryRowContext(ctx, `SELECT document FROM ruleset WHERE space = $1`, v.space.ID).Scan(&document)
	if err := allowMissing(notFound(err, "no rules")); err != nil {
		return nil, err
	}
	if document == "" {
		return &identity.Rules{Schema: identity.RulesSchema}, nil
	}
	return identity.ParseRules([]byte(document))
}

// coveredUnits lists the applications that the reader sees, by name, and what
// belongs to none, with the empty name, if he sees that.
func (v *view) coveredUnits(ctx context.Context) (list []Application, err error) {
	q := (&query{}).add(`SELECT f.id, f.name, f.organisation, f.businessunit, '', f.gone, 0 FROM unit f WHERE f.space = ? AND f.gone = 0`, v.space.ID)
	v.visible(q, "f.id")
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.name`+v.db.dialect.binary).String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a Application
		if err := a.scan(v, rows); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if v.r.Can(sinew.RoleViewer, sinew.UnassignedUnit) {
		list = append(list, Application{Unit: sinew.UnassignedUnit})
	}
	return list, rows.Err()
}

// scans gives every stream that looks at one of the applications, and the public
// ids of those whose unit the reader sees.
func (v *view) scans(ctx context.Context, rules *identity.Rules, apps []Application) (scans []identity.Scan, ids []string, err error) {
	name := make(map[int64]string, len(apps))
	for _, a := range apps {
		name[a.Unit] = a.Name
	}
	streams, err := v.streamStates(ctx)
	if err != nil {
		return nil, nil, err
	}
	parts, err := v.unitsOfTargets(ctx)
	if err != nil {
		return nil, nil, err
	}
	tests := map[int64][]identity.Found{} // by family
	for i := range streams {
		s := &streams[i]
		var of []string
		add := func(unit int64) {
			if n, ok := name[unit]; ok && !slices.Contains(of, n) {
				of = append(of, n)
			}
		}
		add(s.unit)
		for _, unit := range parts[s.Stream.Target] {
			add(unit)
		}
		for _, claimed := range rules.Claims(s.Stream.Target, s.Stream.Ref) {
			if slices.ContainsFunc(apps, func(a Application) bool { return a.Name == claimed }) && !slices.Contains(of, claimed) {
				of = append(of, claimed)
			}
		}
		if len(of) == 0 {
			continue
		}
		found, ok := tests[s.family]
		if !ok {
			if found, err = v.found(ctx, s.family); err != nil {
				return nil, nil, err
			}
			tests[s.family] = found
		}
		id := ""
		if v.r.Can(sinew.RoleViewer, s.unit) {
			id = s.ID
		}
		scans = append(scans, identity.Scan{
			Stream: len(ids), Tool: s.Stream.Tool, Applications: of, Tests: identity.TestsOf(s.Stream.Tool, s.artifact, found),
			Counts: s.Kind.Counts(), Failed: s.Coverage == sinew.CoverageFailed, Last: s.good, Status: s.goodStatus, Basis: s.goodBasis,
		})
		ids = append(ids, id)
	}
	return scans, ids, nil
}

// streamState is a stream with what the coverage needs to know of it.
type streamState struct {
	StreamInfo
	unit       int64
	good       time.Time // newest snapshot that did not fail; zero for none
	goodStatus sinew.CoverageStatus
	goodBasis  sinew.Basis
}

// streamStates gives every stream that lives. The caller shows nothing of those
// that are not the reader's.
func (v *view) streamStates(ctx context.Context) (list []streamState, err error) {
	rows, err := v.QueryContext(ctx, `SELECT f.id, m.id, m.unit_id, m.source, m.tool, m.target, m.label, f.ref, f.kind,
			n.coverage, n.artifact, COALESCE(g.at, 0), COALESCE(g.coverage, ''), COALESCE(g.basis, '')
		FROM place f JOIN family m ON m.space = f.space AND m.id = f.family_id
		JOIN (SELECT space, place_id, MAX(seq) AS newest, MAX(CASE WHEN coverage <> 'failed' THEN seq END) AS good
			FROM snapshot WHERE space = $1 GROUP BY space, place_id) h ON h.space = f.space AND h.place_id = f.id
		JOIN snapshot n ON n.space = f.space AND n.seq = h.newest
		LEFT JOIN snapshot g ON g.space = f.space AND g.seq = h.good
		WHERE f.space = $1 AND f.kind <> 'deployed' AND f.ended = '' ORDER BY f.id`, v.space.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s streamState
		var id, good int64
		if err := rows.Scan(&id, &s.family, &s.unit, &s.Stream.Source, &s.Stream.Tool, &s.Stream.Target, &s.Stream.Label, &s.Stream.Ref, &s.Kind,
			&s.Coverage, &s.artifact, &good, &s.goodStatus, &s.goodBasis); err != nil {
			return nil, err
		}
		s.ID, s.good = v.public(sinew.IDStream, id), fromMicros(good)
		list = append(list, s)
	}
	return list, rows.Err()
}

// unitsOfTargets says in which units each target has active findings.
func (v *view) unitsOfTargets(ctx context.Context) (map[string][]int64, error) {
	q := (&query{}).add(`SELECT f.value, f.unit_id FROM counter f WHERE f.space = ? AND f.dim = 'target' AND f.n > 0`, v.space.ID)
	v.visible(q, "f.unit_id")
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]int64{}
	for rows.Next() {
		var target string
		var unit int64
		if err := rows.Scan(&target, &unit); err != nil {
			return nil, err
		}
		out[target] = append(out[target], unit)
	}
	return out, rows.Err()
}

// foundSample is how many findings of a family are looked at to see what it tests.
const foundSample = 200

// found says what kinds of things a family has found, as far as the first of them
// show it.
func (v *view) found(ctx context.Context, family int64) (list []identity.Found, err error) {
	hint := ""
	if v.db.dialect.engine == "sqlite" {
		hint = " INDEXED BY finding_family"
	}
	rows, err := v.QueryContext(ctx, `SELECT DISTINCT s.class, s.infile FROM (SELECT f.class, CASE WHEN f.file <> '' THEN 1 ELSE 0 END AS infile
		FROM finding f`+hint+` WHERE f.space = $1 AND f.family_id = $2 AND f.gen_from <= $3 LIMIT $4) s ORDER BY s.class, s.infile`,
		v.space.ID, family, v.space.LiveGen, foundSample)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f identity.Found
		if err := rows.Scan(&f.Class, &f.InFile); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, rows.Err()
}
