package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// idChunk is how many ids one statement names.
const idChunk = 500

func (s *Stage) flush(ctx context.Context, t *tx) error {
	for place, ids := range s.endP {
		if err := s.endPresences(ctx, t, place, ids); err != nil {
			return err
		}
	}
	clear(s.endP)
	if err := s.endFindings(ctx, t, s.end); err != nil {
		return err
	}
	s.end = s.end[:0]
	if err := s.replaceFindings(ctx, t); err != nil {
		return err
	}
	if err := s.replacePresences(ctx, t); err != nil {
		return err
	}
	if err := s.endJoins(ctx, t); err != nil {
		return err
	}
	for _, w := range []struct {
		table *table
		rows  *buffer
	}{
		{&findingTable, &s.fresh},
		{&presenceTable, &s.freshP},
		{&eventTable, &s.events},
		{&verdictTable, &s.verdicts},
		{&stepTable, &s.steps},
		{&joinTable, &s.joins},
	} {
		if err := w.rows.insert(ctx, t, w.table); err != nil {
			return err
		}
	}
	if err := s.updateLeads(ctx, t); err != nil {
		return err
	}
	if s.segments == nil {
		return nil
	}
	return s.segments.save(ctx, t, s.space)
}

// updateLeads changes rows in place that this stage wrote and nobody has seen.
func (s *Stage) updateLeads(ctx context.Context, t *tx) error {
	if len(s.leads) == 0 {
		return nil
	}
	if !t.db.dialect.copies {
		for _, l := range s.leads {
			if _, err := t.ExecContext(ctx, `UPDATE finding SET lead = $1, tools = $2, also = $3 WHERE space = $4 AND id = $5 AND gen_from = $6`,
				l.lead, l.tools, l.also, s.space, l.id, s.gen); err != nil {
				return err
			}
		}
		s.leads = s.leads[:0]
		return nil
	}
	var ids, leads []int64
	var tools, also []string
	for _, l := range s.leads {
		ids, leads, tools, also = append(ids, l.id), append(leads, l.lead), append(tools, l.tools), append(also, l.also)
	}
	s.leads = s.leads[:0]
	_, err := t.ExecContext(ctx, `UPDATE finding SET lead = v.lead, tools = v.tools, also = v.also
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS v(id, lead, tools, also)
		WHERE finding.space = $5 AND finding.id = v.id AND finding.gen_from = $6`, ids, leads, tools, also, s.space, s.gen)
	return err
}

func (s *Stage) endFindings(ctx context.Context, t *tx, ids []int64) error {
	if err := s.endRows(ctx, t, "finding", "id", "", ids); err != nil {
		return fmt.Errorf("end findings: %w", err)
	}
	return nil
}

func (s *Stage) endPresences(ctx context.Context, t *tx, place int64, ids []int64) error {
	and := " AND place_id = " + strconv.FormatInt(place, 10)
	if err := s.endRows(ctx, t, "presence", "finding_id", and, ids); err != nil {
		return fmt.Errorf("end presences: %w", err)
	}
	return nil
}

// endRows marks the current rows as ended. Rows that this very stage wrote are
// taken back instead: nobody has seen them, and their key may be needed again.
func (s *Stage) endRows(ctx context.Context, t *tx, table, id, and string, ids []int64) error {
	for ids := range slices.Chunk(ids, idChunk) {
		mark := (&query{}).add(`UPDATE `+table+` SET gen_to = ? WHERE space = ?`+and+` AND gen_to IS NULL AND gen_from < ? AND `,
			s.gen, s.space, s.gen)
		inIDs(t.db.dialect, mark, id, ids)
		if _, err := t.ExecContext(ctx, mark.String(), mark.args...); err != nil {
			return err
		}
		take := (&query{}).add(`DELETE FROM `+table+` WHERE space = ?`+and+` AND gen_from = ? AND `, s.space, s.gen)
		inIDs(t.db.dialect, take, id, ids)
		if _, err := t.ExecContext(ctx, take.String(), take.args...); err != nil {
			return err
		}
	}
	return nil
}

// inIDs appends "expr is one of ids". SQLite gets literals, because binding
// hundreds of named arguments costs more than reading the numbers; PostgreSQL
// gets one array, so that the statement stays the same and stays prepared.
func inIDs(d dialect, q *query, expr string, ids []int64) {
	if d.copies {
		q.add(expr+" = ANY(?)", ids)
		return
	}
	var b strings.Builder
	b.WriteString(expr)
	b.WriteString(" IN (")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(')')
	q.add(b.String())
}

func (s *Stage) replaceFindings(ctx context.Context, t *tx) error {
	if len(s.put) == 0 {
		return nil
	}
	ids := make([]int64, len(s.put))
	for i := range s.put {
		ids[i] = s.put[i].ID
	}
	if err := s.endFindings(ctx, t, ids); err != nil {
		return err
	}
	var b buffer
	for i := range s.put {
		b.vals = s.put[i].values(b.vals, s.space, s.gen)
		b.n++
	}
	s.put = s.put[:0]
	return b.insert(ctx, t, &findingTable)
}

func (s *Stage) replacePresences(ctx context.Context, t *tx) error {
	if len(s.putP) == 0 {
		return nil
	}
	places := map[int64][]int64{}
	var b buffer
	for i := range s.putP {
		p := &s.putP[i]
		places[p.Place] = append(places[p.Place], p.Finding)
		b.vals = p.values(b.vals, s.space, s.gen)
		b.n++
	}
	for place, ids := range places {
		if err := s.endPresences(ctx, t, place, ids); err != nil {
			return err
		}
	}
	s.putP = s.putP[:0]
	return b.insert(ctx, t, &presenceTable)
}

// insert writes and empties a buffer.
func (b *buffer) insert(ctx context.Context, t *tx, into *table) error {
	if b.n == 0 {
		return nil
	}
	if err := bulkInsert(ctx, t, into.name, into.cols, b.vals); err != nil {
		return err
	}
	clear(b.vals) // the strings may go
	b.vals, b.n = b.vals[:0], 0
	return nil
}

func (s *Stage) applyCounts(ctx context.Context, t *tx) error {
	keys := make([]counterKey, 0, len(s.counts))
	for k, n := range s.counts {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b counterKey) int { // one order of row locks for everybody
		return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.dim, b.dim), cmp.Compare(a.value, b.value))
	})
	for _, k := range keys {
		_, err := t.ExecContext(ctx, `INSERT INTO counter (space, unit_id, dim, value, n) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (space, unit_id, dim, value) DO UPDATE SET n = counter.n + excluded.n`,
			s.space, k.unit, k.dim, k.value, s.counts[k])
		if err != nil {
			return err
		}
	}
	return nil
}

// analyzeAfter is how many rows PostgreSQL may get before it is asked to look at
// its tables again. It would do so by itself, but a minute later: until then it
// takes a table that was empty for one with a single row, and reads a whole place
// to find one finding.
const analyzeAfter = 2000

// analyzed are the tables that rows are looked up in by their ids, with the
// columns that such a look-up names.
var analyzed = []struct{ name, columns string }{
	{"finding", "space, id, gen_from, gen_to, family_id, place_id, issue, lead"},
	{"presence", "space, finding_id, place_id, gen_from, gen_to"},
}

// analyze is called before rows are looked up by their ids.
func (s *Stage) analyze(ctx context.Context) error {
	if !s.db.dialect.copies || s.looked && s.unseen < analyzeAfter {
		return nil
	}
	s.looked = true
	for _, t := range analyzed {
		var known, changed float64
		err := s.db.reader.QueryRowContext(ctx, `SELECT c.reltuples, s.n_mod_since_analyze FROM pg_class c
			JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE c.oid = to_regclass($1)`, t.name).Scan(&known, &changed)
		if err != nil {
			return fmt.Errorf("read statistics: %w", err)
		}
		if max(changed, float64(s.unseen)) < analyzeAfter+max(known, 0)/2 {
			continue
		}
		err = s.db.write(ctx, func(q *tx) error {
			if _, err := q.ExecContext(ctx, `SET LOCAL default_statistics_target = 10`); err != nil {
				return err
			}
			_, err := q.ExecContext(ctx, `ANALYZE `+t.name+` (`+t.columns+`)`)
			return err
		})
		if err != nil {
			return fmt.Errorf("update statistics: %w", err)
		}
	}
	s.unseen = 0
	return nil
}
