package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// CountCap is how far findings are counted where no counter is kept.
const CountCap = 10_000

// Counts says how many findings fulfil a filter, and how they divide. Severities,
// tools, classes and targets are of active findings only, unless the filter asks
// for others.
type Counts struct {
	Total      int64                        `json:"total"`
	Active     int64                        `json:"active"`
	Capped     bool                         `json:"capped,omitempty"` // there are more: these are the first [CountCap]
	States     map[sinew.FindingState]int64 `json:"states"`
	Severities map[sinew.Severity]int64     `json:"severities"`
	Classes    map[sinew.Class]int64        `json:"classes"`
	Tools      map[string]int64             `json:"tools"`
	Targets    map[string]int64             `json:"targets"`

	Applications map[string]int64 `json:"applications"` // by name, "" for those that belong to none
}

func newCounts() *Counts {
	return &Counts{
		States: map[sinew.FindingState]int64{}, Severities: map[sinew.Severity]int64{}, Classes: map[sinew.Class]int64{},
		Tools: map[string]int64{}, Targets: map[string]int64{}, Applications: map[string]int64{},
	}
}

// Counts counts the findings that fulfil a filter and that r may see. It is
// exact where maintained counters answer: no filter, is:open, and terms of app
// with either; otherwise up to [CountCap].
func (db *DB) Counts(ctx context.Context, r sinew.Reader, f *filter.Query) (*Counts, error) {
	c := newCounts()
	err := db.view(ctx, r, func(v *view) error {
		if active, ok := counted(f); ok {
			return v.counters(ctx, c, f, active)
		}
		return v.count(ctx, c, f)
	})
	if err != nil && !errors.Is(err, errNothing) {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	return c, nil
}

// counted reports whether the counters answer f, and whether it asks for active
// findings only.
func counted(f *filter.Query) (active, ok bool) {
	if f == nil {
		return false, true
	}
	for _, t := range f.Terms {
		switch {
		case t.Field == "app":
		case t.Field == "is" && !t.Negated && len(t.Values) == 1 && t.Values[0] == "open":
			active = true
		default:
			return false, false
		}
	}
	return active, true
}

func (v *view) counters(ctx context.Context, c *Counts, f *filter.Query, active bool) error {
	q := (&query{}).add(`SELECT f.dim, f.value, SUM(f.n) FROM counter f WHERE f.space = ?`, v.space.ID)
	v.visible(q, "f.unit_id")
	apps := &filter.Query{}
	if f != nil {
		for _, t := range f.Terms {
			if t.Field == "app" {
				apps.Terms = append(apps.Terms, t)
			}
		}
	}
	if _, err := v.compile(ctx, q, apps); err != nil {
		return err
	}
	rows, err := v.QueryContext(ctx, q.add(` GROUP BY f.dim, f.value HAVING SUM(f.n) <> 0`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var dim, value string
		var n int64
		if err := rows.Scan(&dim, &value, &n); err != nil {
			return err
		}
		c.add(dim, value, n, active)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return v.unitCounters(ctx, c, apps)
}

// unitCounters counts active findings by application.
func (v *view) unitCounters(ctx context.Context, c *Counts, apps *filter.Query) error {
	q := (&query{}).add(`SELECT f.unit_id, SUM(f.n) FROM counter f WHERE f.space = ? AND f.dim = 'severity'`, v.space.ID)
	v.visible(q, "f.unit_id")
	if _, err := v.compile(ctx, q, apps); err != nil {
		return err
	}
	rows, err := v.QueryContext(ctx, q.add(` GROUP BY f.unit_id HAVING SUM(f.n) <> 0`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	units := map[int64]int64{}
	for rows.Next() {
		var unit, n int64
		if err := rows.Scan(&unit, &n); err != nil {
			return err
		}
		units[unit] = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return v.addUnits(ctx, c, units)
}

// addUnits names the units that findings were counted by.
func (v *view) addUnits(ctx context.Context, c *Counts, units map[int64]int64) error {
	names, err := v.unitNames(ctx, slices.Collect(maps.Keys(units)))
	for unit, n := range units {
		c.Applications[names[unit]] += n
	}
	return err
}

func (c *Counts) add(dim, value string, n int64, activeOnly bool) {
	switch dim {
	case "state":
		state := sinew.FindingState(value)
		if state.Active() {
			c.Active += n
		} else if activeOnly {
			return
		}
		c.Total += n
		c.States[state] += n
	case "severity":
		rank, _ := strconv.Atoi(value) // written by severityText
		c.Severities[sinew.SeverityOfRank(rank)] += n
	case "tool":
		c.Tools[value] += n
	case "class":
		c.Classes[sinew.Class(value)] += n
	case "target":
		c.Targets[value] += n
	}
}

// count counts what no counters are kept of: where few may fulfil the filter,
// or the segments know too little of it, by their rows.
func (v *view) count(ctx context.Context, c *Counts, f *filter.Query) error {
	where, found, err := v.matching(ctx, f)
	if err != nil {
		return err
	}
	t, ok := newTally(), false
	if !found.few() {
		if t, ok, err = v.skimCount(ctx, f, where); err != nil {
			return err
		}
	}
	if !ok {
		t = newTally()
		if err := v.tally(ctx, t, (&query{args: where.args}).add(found.from(v.db.dialect)+where.String())); err != nil {
			return err
		}
	}
	if t.Total > CountCap {
		t.Total, t.Capped = CountCap, true
	}
	*c = *t.Counts
	if err := v.addUnits(ctx, c, t.units); err != nil {
		return err
	}
	named, err := v.familyRows(ctx, slices.Collect(maps.Keys(t.families)))
	for id, n := range t.families {
		c.Targets[named[id].Target] += n
	}
	return err
}

// tally is a count under way.
type tally struct {
	*Counts
	families map[int64]int64 // the targets to be
	units    map[int64]int64 // the applications to be
}

func newTally() *tally { return &tally{newCounts(), map[int64]int64{}, map[int64]int64{}} }

// tally adds the findings of a FROM clause, up to one more than CountCap.
func (v *view) tally(ctx context.Context, c *tally, from *query) error {
	q := (&query{args: from.args}).add(`SELECT c.state, c.severity, c.tool, c.tools, c.class, c.family_id, c.unit_id, COUNT(*) FROM (
		SELECT f.state, f.severity, f.tool, f.tools, f.class, f.family_id, f.unit_id`+from.String()).add(` LIMIT ?) c GROUP BY c.state, c.severity, c.tool, c.tools, c.class, c.family_id, c.unit_id`, CountCap+1-c.Total)
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var state, tool, tools, class string
		var severity int
		var family, unit, n int64
		if err := rows.Scan(&state, &severity, &tool, &tools, &class, &family, &unit, &n); err != nil {
			return err
		}
		for dim, value := range map[string]string{"state": state, "severity": severityText(severity), "class": class} {
			c.add(dim, value, n, false)
		}
		for _, tool := range toolsOf(tool, tools) {
			c.add("tool", tool, n, false)
		}
		c.families[family] += n
		c.units[unit] += n
	}
	return rows.Err()
}
