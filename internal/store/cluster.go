package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// maxCluster is how many findings of a cluster are shown: there are as many as
// streams, unless somebody joined more by hand.
const maxCluster = 200

// cluster tells with what a finding is one problem, nil where with nothing.
func (v *view) cluster(ctx context.Context, row *FindingRow) (*sinew.Cluster, error) {
	if row.Lead == 0 {
		return nil, nil
	}
	lead := row.ID
	if row.Lead > 0 {
		lead = row.Lead
	}
	q := (&query{}).add(`SELECT f.id FROM finding f WHERE f.space = ? AND f.lead = ?`, v.space.ID, lead)
	v.current(q, "f")
	ids, err := v.column(ctx, q.add(` ORDER BY f.id LIMIT ?`, maxCluster))
	if err != nil {
		return nil, err
	}
	rows, err := v.findingRows(ctx, append(ids, lead))
	if err != nil {
		return nil, err
	}
	near, err := v.surroundings(ctx, rows)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b FindingRow) int {
		return cmp.Or(boolCompare(b.ID == lead, a.ID == lead), cmp.Compare(a.Tool, b.Tool), cmp.Compare(a.ID, b.ID))
	})
	c := &sinew.Cluster{Lead: v.public(sinew.IDFinding, lead)}
	seen := make(map[int64]bool, len(rows))
	for i := range rows {
		seen[rows[i].ID] = true
		c.Members = append(c.Members, v.finding(&rows[i], near))
	}
	c.Joins, err = v.joins(ctx, seen)
	return c, err
}

func boolCompare(a, b bool) int { return cmp.Compare(boolInt(a), boolInt(b)) }

// joins tells why findings are one problem.
func (v *view) joins(ctx context.Context, among map[int64]bool) ([]sinew.Join, error) {
	q := (&query{}).add(`SELECT f.a_id, f.b_id, f.rule, f.fields, f.seq, COALESCE(l.at, 0) FROM finding_join f
		LEFT JOIN log l ON l.workspace_id = ? AND l.seq = f.seq WHERE f.space = ?`, v.r.Workspace, v.space.ID)
	v.current(q, "f")
	inIDs(v.db.dialect, q.add(` AND `), "f.a_id", slices.Sorted(maps.Keys(among)))
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.rule, f.a_id, f.b_id`).String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []sinew.Join{}
	for rows.Next() {
		var a, b, at int64
		var rule int
		var fields string
		var j sinew.Join
		if err := rows.Scan(&a, &b, &rule, &fields, &j.Seq, &at); err != nil {
			return nil, err
		}
		if !among[b] {
			continue
		}
		if err := json.Unmarshal([]byte(fields), &j.Fields); err != nil {
			return nil, fmt.Errorf("why two findings are one: %w", err)
		}
		j.A, j.B, j.Rule, j.At = v.public(sinew.IDFinding, a), v.public(sinew.IDFinding, b), identity.JoinRule(rule).String(), fromMicros(at)
		out = append(out, j)
	}
	return out, rows.Err()
}

// WithClusters gives findings and all that are one problem with them; each once.
func (db *DB) WithClusters(ctx context.Context, space int64, births []int64) ([]int64, error) {
	now, err := db.ResolveBirths(ctx, space, births)
	if err != nil {
		return nil, err
	}
	ids := slices.Sorted(maps.Values(now))
	rows, err := db.FindingsByID(ctx, space, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	out := slices.Clone(births)
	known := map[int64]bool{}
	for _, id := range ids {
		known[id] = true
	}
	var leads []int64
	for i := range rows {
		switch {
		case rows[i].Lead == LeadsOthers:
			leads = append(leads, rows[i].ID)
		case rows[i].Lead > 0:
			leads = append(leads, rows[i].Lead)
		}
	}
	slices.Sort(leads)
	leads = slices.Compact(leads)
	add := func(id int64) {
		if !known[id] {
			known[id] = true
			out = append(out, id)
		}
	}
	err = db.read(ctx, func(t *tx) error {
		for chunk := range slices.Chunk(leads, idChunk) {
			q := (&query{}).add(`SELECT id FROM finding WHERE space = ? AND gen_to IS NULL AND `, space)
			inIDs(db.dialect, q, "lead", chunk)
			rows, err := t.QueryContext(ctx, q.add(` AND lead > 0 ORDER BY id`).String(), q.args...)
			if err != nil {
				return err
			}
			members, err := scanColumn[int64](rows)
			if err != nil {
				return err
			}
			for _, id := range slices.Concat(chunk, members) {
				add(id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read clusters: %w", err)
	}
	return out, nil
}

// DedupStats says how many findings are one problem with others, and why.
type DedupStats struct {
	Told   int64            `json:"told"`                   // findings as the streams tell them
	Shown  int64            `json:"shown"`                  // what is left of them
	Merged int64            `json:"merged"`                 // shown ones that several streams tell
	Rules  map[string]int64 `json:"rules"`                  // joins by rule
	Pairs  []ToolPair       `json:"pairs" nullable:"false"` // of tools, the most joins first
}

// ToolPair is two tools and how often they tell the same problem.
type ToolPair struct {
	A     string `json:"a"`
	B     string `json:"b"`
	Joins int64  `json:"joins"`
}

// DedupStats counts the clusters that r sees.
func (db *DB) DedupStats(ctx context.Context, r sinew.Reader) (*DedupStats, error) {
	out := &DedupStats{Rules: map[string]int64{}, Pairs: []ToolPair{}}
	err := db.view(ctx, r, func(v *view) error {
		q := (&query{}).add(`SELECT COALESCE(SUM(f.n), 0) FROM counter f WHERE f.space = ? AND f.dim = 'state'`, v.space.ID)
		v.visible(q, "f.unit_id")
		if err := v.QueryRowContext(ctx, q.String(), q.args...).Scan(&out.Shown); err != nil {
			return err
		}
		q = (&query{}).add(`SELECT COUNT(*), COUNT(DISTINCT f.lead) FROM finding f WHERE f.space = ? AND f.lead > 0`, v.space.ID)
		v.current(q, "f")
		v.visible(q, "+f.unit_id")
		var parts int64
		if err := v.QueryRowContext(ctx, q.String(), q.args...).Scan(&parts, &out.Merged); err != nil {
			return err
		}
		out.Told = out.Shown + parts
		return v.joinCounts(ctx, out)
	})
	if err := allowNothing(err); err != nil {
		return nil, fmt.Errorf("count what is the same: %w", err)
	}
	return out, nil
}

// joinCounts looks the findings of each join up by their ids: a join in SQL would
// have SQLite, which keeps no statistics, begin at the wrong end.
func (v *view) joinCounts(ctx context.Context, out *DedupStats) error {
	q := (&query{}).add(`SELECT s.rule, s.a, s.b, COUNT(*) FROM (SELECT f.rule rule`)
	for _, side := range []string{"a", "b"} {
		q.add(`, (SELECT `+side+`.tool FROM finding `+side+` WHERE `+side+`.space = ? AND `+side+`.id = f.`+side+`_id`, v.space.ID)
		v.current(q, side)
		v.visible(q, "+"+side+".unit_id")
		q.add(`) ` + side)
	}
	q.add(` FROM finding_join f WHERE f.space = ?`, v.space.ID)
	v.current(q, "f")
	q.add(`) s WHERE s.a IS NOT NULL AND s.b IS NOT NULL`)
	rows, err := v.QueryContext(ctx, q.add(` GROUP BY s.rule, s.a, s.b`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	pairs := map[[2]string]int64{}
	for rows.Next() {
		var rule int
		var a, b string
		var n int64
		if err := rows.Scan(&rule, &a, &b, &n); err != nil {
			return err
		}
		out.Rules[identity.JoinRule(rule).String()] += n
		pairs[[2]string{min(a, b), max(a, b)}] += n
	}
	for p, n := range pairs {
		out.Pairs = append(out.Pairs, ToolPair{p[0], p[1], n})
	}
	slices.SortFunc(out.Pairs, func(a, b ToolPair) int {
		return cmp.Or(cmp.Compare(b.Joins, a.Joins), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return rows.Err()
}
