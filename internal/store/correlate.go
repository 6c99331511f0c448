package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// What correlation reads and writes (docs/decisions/016). A stage notes the blocks
// of every finding that it changes; before it flips, the clusters of these blocks
// are made anew from all findings in them.

// Block is findings of a unit that may be one problem.
type Block struct{ Unit, Block int64 }

// JoinRow says that two findings are one problem, and why.
type JoinRow struct {
	A, B   int64
	Rule   int64
	Fields string // JSON
	Seq    int64  // entry whose projection joined them
}

// LinkRow is what a person said of findings being the same.
type LinkRow struct {
	Seq          int64
	Kind         sinew.LinkKind
	A, B         int64  // births
	ARule, BRule string // of never: tool, line feed, rule
	At           int64
	Actor        string
	Undone       int64
}

var joinTable = table{"finding_join", []string{"space", "a_id", "b_id", "rule", "fields", "seq", "gen_from"}}

// noteBlock remembers that a finding of a block came, went or changed.
func (s *Stage) noteBlock(r *FindingRow) {
	b := Block{r.Unit, r.Block}
	if n := len(s.blocks); n == 0 || s.blocks[n-1] != b {
		s.blocks = append(s.blocks, b)
	}
}

// noteChange does so if anything changed that correlation looks at.
func (s *Stage) noteChange(was, now *FindingRow) {
	a, b := *was, *now
	for _, r := range []*FindingRow{&a, &b} { // what it does not look at
		r.GenFrom, r.Place, r.LastSeen, r.Since, r.Reopened, r.ObsSeq, r.ObsN, r.Origin, r.Until = 0, 0, 0, 0, 0, 0, 0, 0, 0
		r.Service, r.Owner, r.Cause, r.VerdictBy = "", "", "", ""
		r.Lead, r.Tools, r.Also = 0, "", ""
	}
	if a != b {
		s.noteBlock(was)
		s.noteBlock(now)
	}
}

// Correlate notes the block of findings whose rows have not changed.
func (s *Stage) Correlate(rows []FindingRow) {
	for i := range rows {
		s.noteBlock(&rows[i])
	}
}

// ChangedBlocks gives, and forgets, the blocks whose clusters must be made anew: of
// those that were noted the ones with findings of several families, with clusters
// or named by linked; in order. gone are findings that ended for good.
func (s *Stage) ChangedBlocks(ctx context.Context, linked map[Block]bool) (blocks []SizedBlock, gone []int64, err error) {
	if len(s.blocks) == 0 {
		return nil, nil, nil
	}
	if err := s.Flush(ctx); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(s.blocks, compareBlocks)
	parted, err := s.partedBlocks(ctx)
	if err != nil {
		return nil, nil, err
	}
	noted, forced := map[int64][]int64{}, map[int64][]int64{}
	for _, b := range slices.Compact(s.blocks) {
		if linked[b] || parted[b] {
			forced[b.Unit] = append(forced[b.Unit], b.Block)
		} else {
			noted[b.Unit] = append(noted[b.Unit], b.Block)
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(forced)) {
		for chunk := range slices.Chunk(forced[unit], idChunk) {
			if blocks, err = s.db.sized(ctx, s.space, unit, chunk, "", blocks); err != nil {
				return nil, nil, err
			}
		}
	}
	s.blocks, s.parted = nil, nil
	for _, unit := range slices.Sorted(maps.Keys(noted)) {
		alone, err := s.db.loneFamily(ctx, s.space, unit)
		if err != nil {
			return nil, nil, err
		}
		if alone {
			continue
		}
		for chunk := range slices.Chunk(noted[unit], idChunk) {
			if blocks, err = s.db.sized(ctx, s.space, unit, chunk, severalOrClustered, blocks); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortFunc(blocks, func(a, b SizedBlock) int { return compareBlocks(a.Block, b.Block) })
	gone, err = s.goneFor(ctx)
	return blocks, gone, err
}

func compareBlocks(a, b Block) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Block, b.Block))
}

// partedFinding is one that was ended while it was in a cluster.
type partedFinding struct {
	id    int64
	block Block
}

// partedBlocks gives the blocks of findings that this stage ended while they were in
// a cluster: where they were, and where they are if they were born again.
func (s *Stage) partedBlocks(ctx context.Context) (map[Block]bool, error) {
	out := map[Block]bool{}
	for chunk := range slices.Chunk(s.parted, idChunk) {
		ids := make([]int64, len(chunk))
		for i := range chunk {
			ids[i] = chunk[i].id
			out[chunk[i].block] = true
		}
		now, err := s.db.FindingsByID(ctx, s.space, ids)
		if err != nil {
			return nil, err
		}
		for i := range now {
			out[Block{now[i].Unit, now[i].Block}] = true
		}
	}
	return out, nil
}

// goneFor gives the findings that this stage ended and did not write again.
func (s *Stage) goneFor(ctx context.Context) (gone []int64, err error) {
	slices.Sort(s.ended)
	ended := slices.Compact(s.ended)
	s.ended = nil
	for chunk := range slices.Chunk(ended, idChunk) {
		rows, err := s.db.FindingsByID(ctx, s.space, chunk)
		if err != nil {
			return nil, err
		}
		for _, id := range chunk {
			if !slices.ContainsFunc(rows, func(r FindingRow) bool { return r.ID == id }) {
				gone = append(gone, id)
			}
		}
	}
	return gone, nil
}

// loneFamily reports whether all findings of a unit are of one family, and none is
// part of another.
func (db *DB) loneFamily(ctx context.Context, space, unit int64) (alone bool, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM finding WHERE space = $1 AND unit_id = $2 AND gen_to IS NULL AND
			(lead <> 0 OR family_id <> (SELECT b.family_id FROM finding b WHERE b.space = $1 AND b.unit_id = $2 AND b.gen_to IS NULL LIMIT 1)))`,
			space, unit).Scan(&alone)
	})
	if err != nil {
		return false, fmt.Errorf("look for other streams: %w", err)
	}
	return alone, nil
}

// SizedBlock is a block and how many findings it has.
type SizedBlock struct {
	Block
	Findings int
}

const severalOrClustered = ` HAVING MIN(family_id) <> MAX(family_id) OR MIN(lead) <> 0 OR MAX(lead) <> 0`

// sized appends those of some blocks of a unit that have findings and fulfil having.
func (db *DB) sized(ctx context.Context, space, unit int64, blocks []int64, having string, out []SizedBlock) ([]SizedBlock, error) {
	err := db.read(ctx, func(t *tx) error {
		q := (&query{}).add(`SELECT block, COUNT(*) FROM finding WHERE space = ? AND unit_id = ? AND gen_to IS NULL AND `, space, unit)
		inIDs(db.dialect, q, "block", blocks)
		rows, err := t.QueryContext(ctx, q.String()+` GROUP BY block`+having, q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b := SizedBlock{Block: Block{Unit: unit}}
			if err := rows.Scan(&b.Block.Block, &b.Findings); err != nil {
				return err
			}
			out = append(out, b)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look for findings of several streams: %w", err)
	}
	return out, nil
}

// CountBlock gives how many findings a block has, up to limit.
func (db *DB) CountBlock(ctx context.Context, space int64, b Block, limit int) (n int, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM finding WHERE space = $1 AND unit_id = $2 AND block = $3 AND gen_to IS NULL LIMIT $4) b`,
			space, b.Unit, b.Block, limit).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count findings: %w", err)
	}
	return n, nil
}

// BlockRows gives the current findings of blocks of one unit, by block and id.
func (db *DB) BlockRows(ctx context.Context, space, unit int64, blocks []int64) (out []FindingRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		for chunk := range slices.Chunk(blocks, idChunk) {
			q := (&query{}).add(`SELECT `+findingSelect+` FROM finding WHERE space = ? AND unit_id = ? AND gen_to IS NULL AND `, space, unit)
			inIDs(db.dialect, q, "block", chunk)
			var err error
			if out, err = appendFindings(ctx, t, out, q.String()+` ORDER BY block, id`, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return out, nil
}

// JoinsOf gives the current joins of which any of the findings is a part, each once.
func (db *DB) JoinsOf(ctx context.Context, space int64, ids []int64) (out []JoinRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		for _, side := range []string{"a_id", "b_id"} {
			for chunk := range slices.Chunk(ids, idChunk) {
				q := (&query{}).add(`SELECT a_id, b_id, rule, fields, seq FROM finding_join WHERE space = ? AND gen_to IS NULL AND `, space)
				inIDs(db.dialect, q, side, chunk)
				var err error
				if out, err = appendJoins(ctx, t, out, q); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read joins: %w", err)
	}
	slices.SortFunc(out, func(a, b JoinRow) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) })
	return slices.Compact(out), nil
}

func appendJoins(ctx context.Context, t *tx, out []JoinRow, q *query) ([]JoinRow, error) {
	rows, err := t.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var j JoinRow
		if err := rows.Scan(&j.A, &j.B, &j.Rule, &j.Fields, &j.Seq); err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// LeadsBefore tells of which finding each of some staged ones was shown as part
// before this stage; those of none are left out.
func (s *Stage) LeadsBefore(ctx context.Context, rows []FindingRow) (map[int64]int64, error) {
	out := map[int64]int64{}
	var again []int64
	for i := range rows {
		switch {
		case rows[i].GenFrom == s.gen:
			again = append(again, rows[i].ID)
		case rows[i].Lead > 0:
			out[rows[i].ID] = rows[i].Lead
		}
	}
	err := s.db.read(ctx, func(t *tx) error {
		for chunk := range slices.Chunk(again, idChunk) {
			q := (&query{}).add(`SELECT id, lead FROM finding WHERE space = ? AND lead > 0 AND gen_from < ? AND (gen_to IS NULL OR gen_to >= ?) AND `,
				s.space, s.gen, s.gen)
			inIDs(s.db.dialect, q, "id", chunk)
			found, err := t.QueryContext(ctx, q.String(), q.args...)
			if err != nil {
				return err
			}
			defer found.Close()
			for found.Next() {
				var id, lead int64
				if err := found.Scan(&id, &lead); err != nil {
					return err
				}
				out[id] = lead
			}
			if err := found.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return out, nil
}

// NewJoin stages a join.
func (s *Stage) NewJoin(ctx context.Context, j JoinRow) error {
	s.joins.vals = append(s.joins.vals, s.space, j.A, j.B, j.Rule, j.Fields, j.Seq, s.gen)
	s.joins.n++
	return s.grown(ctx)
}

// EndJoin stages the end of a join.
func (s *Stage) EndJoin(ctx context.Context, j JoinRow) error {
	s.endJ = append(s.endJ, j)
	return s.grown(ctx)
}

func (s *Stage) endJoins(ctx context.Context, t *tx) error {
	for _, j := range s.endJ {
		if _, err := t.ExecContext(ctx, `UPDATE finding_join SET gen_to = $1 WHERE space = $2 AND a_id = $3 AND b_id = $4 AND gen_to IS NULL AND gen_from < $1`,
			s.gen, s.space, j.A, j.B); err != nil {
			return fmt.Errorf("end joins: %w", err)
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM finding_join WHERE space = $1 AND a_id = $2 AND b_id = $3 AND gen_from = $4`,
			s.space, j.A, j.B, s.gen); err != nil {
			return fmt.Errorf("end joins: %w", err)
		}
	}
	s.endJ = s.endJ[:0]
	return nil
}

// SaveLink says, when the stage flips, what a person said.
func (s *Stage) SaveLink(l LinkRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO link (space, seq, kind, a_id, b_id, a_rule, b_rule, at, actor, undone)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, s.space, l.Seq, string(l.Kind), l.A, l.B, l.ARule, l.BRule, l.At, l.Actor, l.Undone)
		return wrap(err, "save link")
	})
}

// UndoLinks says, when the stage flips, that links were taken back.
func (s *Stage) UndoLinks(seq, by int64) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE link SET undone = $1 WHERE space = $2 AND seq = $3 AND undone = 0`, by, s.space, seq)
		return wrap(err, "take links back")
	})
}

// Links gives what people said and nobody took back, by seq.
func (db *DB) Links(ctx context.Context, space int64) (out []LinkRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT seq, kind, a_id, b_id, a_rule, b_rule, at, actor, undone FROM link
			WHERE space = $1 AND undone = 0 ORDER BY seq, a_id, b_id`, space)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l LinkRow
			if err := rows.Scan(&l.Seq, &l.Kind, &l.A, &l.B, &l.ARule, &l.BRule, &l.At, &l.Actor, &l.Undone); err != nil {
				return err
			}
			out = append(out, l)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	return out, nil
}

// AliasRoots gives the name that stands for each of some names of vulnerabilities;
// those without another are left out.
func (db *DB) AliasRoots(ctx context.Context, space int64, ids []string) (map[string]string, error) {
	out := map[string]string{}
	err := db.read(ctx, func(t *tx) error {
		for chunk := range slices.Chunk(ids, idChunk) {
			q := (&query{}).add(`SELECT id, root FROM alias WHERE space = ? AND `, space)
			in(q, "id", chunk)
			rows, err := t.QueryContext(ctx, q.String(), q.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, root string
				if err := rows.Scan(&id, &root); err != nil {
					return err
				}
				out[id] = root
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read names of vulnerabilities: %w", err)
	}
	return out, nil
}

// ToolsText writes the tools of a cluster as the column has them.
func ToolsText(tools []string) string {
	return toolSeparator + strings.Join(tools, toolSeparator) + toolSeparator
}

// Aliases gives every name of a vulnerability that has several, and the one that
// stands for all.
func (db *DB) Aliases(ctx context.Context, space int64) (map[string]string, error) {
	out := map[string]string{}
	err := db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id, root FROM alias WHERE space = $1`, space)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, root string
			if err := rows.Scan(&id, &root); err != nil {
				return err
			}
			out[id] = root
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read names of vulnerabilities: %w", err)
	}
	return out, nil
}

// SaveAliases writes the changed ones of some names. Only the projector reads them,
// after the entry that brought them: they need no generation.
func (s *Stage) SaveAliases(ctx context.Context, names map[string]string, changed map[string]bool) error {
	ids := slices.Sorted(maps.Keys(changed))
	for chunk := range slices.Chunk(ids, idChunk) {
		values := make([]any, 0, 3*len(chunk))
		for _, id := range chunk {
			values = append(values, s.space, id, names[id])
		}
		err := s.tx(ctx, func(t *tx) error {
			q := (&query{}).add(`DELETE FROM alias WHERE space = ? AND `, s.space)
			in(q, "id", chunk)
			if _, err := t.ExecContext(ctx, q.String(), q.args...); err != nil {
				return err
			}
			return bulkInsert(ctx, t, "alias", []string{"space", "id", "root"}, values)
		})
		if err != nil {
			return fmt.Errorf("stage names of vulnerabilities: %w", err)
		}
	}
	return nil
}

// IntelRow is what was imported last of a kind of intelligence.
type IntelRow struct {
	Kind          string
	Seq, At       int64
	Name          string
	Records, Sets int64
}

// SaveIntel says, when the stage flips, what was imported.
func (s *Stage) SaveIntel(r IntelRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO intel (space, kind, seq, at, name, records, sets) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (space, kind) DO UPDATE SET seq = excluded.seq, at = excluded.at, name = excluded.name,
			records = excluded.records, sets = excluded.sets`, s.space, r.Kind, r.Seq, r.At, r.Name, r.Records, r.Sets)
		return wrap(err, "save intelligence")
	})
}

// Intel gives what was imported last of each kind of intelligence.
func (db *DB) Intel(ctx context.Context, space int64) (out []IntelRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT kind, seq, at, name, records, sets FROM intel WHERE space = $1 ORDER BY kind`, space)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r IntelRow
			if err := rows.Scan(&r.Kind, &r.Seq, &r.At, &r.Name, &r.Records, &r.Sets); err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read intelligence: %w", err)
	}
	return out, nil
}
