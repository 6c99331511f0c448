package store

import (
	"context"
	"errors"
	"fmt"
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
}

func newCounts() *Counts {
	return &Counts{
		States: map[sinew.FindingState]int64{}, Severities: map[sinew.Severity]int64{}, Classes: map[sinew.Class]int64{},
		Tools: map[string]int64{}, Targets: map[string]int64{},
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
	return rows.Err()
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

func (v *view) count(ctx context.Context, c *Counts, f *filter.Query) error {
	where, found, err := v.matching(ctx, f)
	if err != nil {
		return err
	}
	q := &query{args: where.args}
	q.add(`SELECT c.state, c.severity, c.tool, c.class, c.family_id, COUNT(*) FROM (
		SELECT f.state, f.severity, f.tool, f.class, f.family_id`+found.from(v.db.dialect)+where.String()).add(` LIMIT ?) c GROUP BY c.state, c.severity, c.tool, c.class, c.family_id`, CountCap+1)
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	families := map[int64]int64{}
	for rows.Next() {
		var state, tool, class string
		var severity int
		var family, n int64
		if err := rows.Scan(&state, &severity, &tool, &class, &family, &n); err != nil {
			return err
		}
		for dim, value := range map[string]string{"state": state, "severity": severityText(severity), "tool": tool, "class": class} {
			c.add(dim, value, n, false)
		}
		families[family] += n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if c.Total > CountCap {
		c.Total, c.Capped = CountCap, true
	}
	ids := make([]int64, 0, len(families))
	for id := range families {
		ids = append(ids, id)
	}
	named, err := v.familyRows(ctx, ids)
	for id, n := range families {
		c.Targets[named[id].Target] += n
	}
	return err
}
