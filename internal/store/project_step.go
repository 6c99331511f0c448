package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/sinewsec/sinew/internal/sinew"
)

// A step is what one entry did to a family, at its place in the fold order. Its
// parts say how to take it back: of each row that it changed the columns that it
// changed, as they were. So a report that comes late need not be folded with all
// that came before it (docs/decisions/012-late-reports.md).

// StepRow is a step of a family's fold.
type StepRow struct {
	Family int64
	N      int64 // its place among the family's steps
	Item   int64 // the entry that is folded
	Entry  int64 // the entry in whose projection it was
	Size   int64 // bytes of its parts
}

var (
	stepTable = table{"step", []string{"space", "family_id", "n", "item", "entry", "size", "gen_from"}}
	partTable = table{"step_part", []string{"space", "family_id", "n", "part", "data", "gen_from"}}
)

// Step stages a step.
func (s *Stage) Step(ctx context.Context, r StepRow) error {
	s.steps.vals = append(s.steps.vals, s.space, r.Family, r.N, r.Item, r.Entry, r.Size, s.gen)
	s.steps.n++
	return s.grown(ctx)
}

// StepPart writes a part of a step; data is the caller's again when it returns.
func (s *Stage) StepPart(ctx context.Context, family, n, part int64, data []byte) error {
	err := s.tx(ctx, func(t *tx) error {
		return bulkInsert(ctx, t, partTable.name, partTable.cols, []any{s.space, family, n, part, data, s.gen})
	})
	return wrap(err, "stage how a step is taken back")
}

// EndSteps stages the end of a family's steps from n on.
func (s *Stage) EndSteps(ctx context.Context, family, n int64) error {
	if err := s.endSteps(ctx, "step", "space, family_id, n, gen_from", "n >= $3", 2000, family, n); err != nil {
		return err
	}
	return s.endSteps(ctx, "step_part", "space, family_id, n, part, gen_from", "n >= $3", 8, family, n)
}

// EndStepParts stages the end of the parts of a family's steps before n: they
// cannot be taken back any more.
func (s *Stage) EndStepParts(ctx context.Context, family, n int64) error {
	return s.endSteps(ctx, "step_part", "space, family_id, n, part, gen_from", "n < $3", 8, family, n)
}

// endSteps marks rows as ended, and takes back those that this very stage wrote;
// a few in a transaction, as parts are large.
func (s *Stage) endSteps(ctx context.Context, table, key, where string, few int, family, n int64) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	rows := fmt.Sprintf(`(%s) IN (SELECT %s FROM %s WHERE space = $1 AND family_id = $2 AND %s`, key, key, table, where)
	err := s.repeat(ctx, fmt.Sprintf(`UPDATE %s SET gen_to = $4 WHERE %s AND gen_to IS NULL AND gen_from < $4 LIMIT %d)`, table, rows, few),
		s.space, family, n, s.gen)
	if err == nil {
		err = s.repeat(ctx, fmt.Sprintf(`DELETE FROM %s WHERE %s AND gen_from = $4 LIMIT %d)`, table, rows, few), s.space, family, n, s.gen)
	}
	return wrap(err, "end steps")
}

// CountSteps gives how many steps a family has, and how large the parts are of
// those from n on.
func (db *DB) CountSteps(ctx context.Context, space, family, n int64) (count, size int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT count(*), CAST(coalesce(sum(CASE WHEN n >= $3 THEN size ELSE 0 END), 0) AS BIGINT)
			FROM step WHERE space = $1 AND family_id = $2 AND gen_to IS NULL`, space, family, n).Scan(&count, &size)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count steps: %w", err)
	}
	return count, size, nil
}

// Steps gives the steps of a family from n on, in order.
func (db *DB) Steps(ctx context.Context, space, family, n int64) (out []StepRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT family_id, n, item, entry, size FROM step
			WHERE space = $1 AND family_id = $2 AND n >= $3 AND gen_to IS NULL ORDER BY n`, space, family, n)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r StepRow
			if err := rows.Scan(&r.Family, &r.N, &r.Item, &r.Entry, &r.Size); err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	return out, nil
}

// StepParts gives how many parts a step has.
func (db *DB) StepParts(ctx context.Context, space, family, n int64) (parts int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT count(*) FROM step_part WHERE space = $1 AND family_id = $2 AND n = $3 AND gen_to IS NULL`,
			space, family, n).Scan(&parts)
	})
	if err != nil {
		return 0, fmt.Errorf("count the parts of a step: %w", err)
	}
	return parts, nil
}

// ReadStepPart gives a part of a step.
func (db *DB) ReadStepPart(ctx context.Context, space, family, n, part int64) (data []byte, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT data FROM step_part WHERE space = $1 AND family_id = $2 AND n = $3 AND part = $4 AND gen_to IS NULL`,
			space, family, n, part).Scan(&data)
	})
	if err != nil {
		return nil, fmt.Errorf("read part %d of step %d: %w", part, n, err)
	}
	return data, nil
}

// FindingsBorn gives the findings of a family that are named by an observation of
// a snapshot, as they are staged; by id.
func (db *DB) FindingsBorn(ctx context.Context, space, family, snapshot int64) (ids []int64, err error) {
	return db.born(ctx, `SELECT id FROM finding WHERE space = $1 AND family_id = $4 AND id >= $2 AND id < $3 AND gen_to IS NULL ORDER BY id`,
		space, snapshot, family)
}

// RedirectsBorn gives the births of a snapshot that are part of another finding.
func (db *DB) RedirectsBorn(ctx context.Context, space, snapshot int64) (births []int64, err error) {
	return db.born(ctx, `SELECT old_id FROM redirect WHERE space = $1 AND old_id >= $2 AND old_id < $3 AND gen_to IS NULL ORDER BY old_id`,
		space, snapshot)
}

func (db *DB) born(ctx context.Context, query string, space, snapshot int64, more ...any) (ids []int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, query, append([]any{space, snapshot << 28, (snapshot + 1) << 28}, more...)...)
		if err != nil {
			return err
		}
		ids, err = scanColumn[int64](rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read births: %w", err)
	}
	return ids, nil
}

// CountFindings gives how many findings a family has, as they are staged.
func (db *DB) CountFindings(ctx context.Context, space, family int64) (n int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT count(*) FROM finding WHERE space = $1 AND family_id = $2 AND gen_to IS NULL`, space, family).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count findings: %w", err)
	}
	return n, nil
}

// RowChanges writes and reads which columns of a row were changed, and what they
// were. Generations are left out. It is not for concurrent use.
type RowChanges struct {
	finding  [2]FindingRow
	presence [2]PresenceRow
	f        [2][]any
	p        [2][]any
}

// NewRowChanges returns a RowChanges.
func NewRowChanges() *RowChanges {
	c := &RowChanges{}
	for i := range c.f {
		c.f[i], c.p[i] = c.finding[i].targets(), c.presence[i].targets()
	}
	return c
}

// RowLayout names the columns that changes are of and their order: changes that
// were written under another one cannot be read.
func RowLayout() uint32 {
	return crc32.ChecksumIEEE([]byte(findingSelect + "\x00" + presenceSelect))
}

// Finding appends what was, of the columns in which now differs from it.
func (c *RowChanges) Finding(b []byte, now, was *FindingRow) ([]byte, error) {
	c.finding[0], c.finding[1] = *now, *was
	c.finding[0].GenFrom, c.finding[1].GenFrom = 0, 0
	return appendChanges(b, c.f[0], c.f[1])
}

// Presence does the same for a presence.
func (c *RowChanges) Presence(b []byte, now, was *PresenceRow) ([]byte, error) {
	c.presence[0], c.presence[1] = *now, *was
	c.presence[0].GenFrom, c.presence[1].GenFrom = 0, 0
	return appendChanges(b, c.p[0], c.p[1])
}

// RestoreFinding puts back what Finding wrote, and gives the rest of b.
func (c *RowChanges) RestoreFinding(b []byte, row *FindingRow) ([]byte, error) {
	c.finding[0] = *row
	rest, err := restoreChanges(b, c.f[0])
	*row = c.finding[0]
	return rest, err
}

// RestorePresence puts back what Presence wrote, and gives the rest of b.
func (c *RowChanges) RestorePresence(b []byte, row *PresenceRow) ([]byte, error) {
	c.presence[0] = *row
	rest, err := restoreChanges(b, c.p[0])
	*row = c.presence[0]
	return rest, err
}

// column is a column of a row as changes see it: a number, or text.
func column(target any) (n int64, s string, text bool, err error) {
	switch v := target.(type) {
	case *int64:
		return *v, "", false, nil
	case *int:
		return int64(*v), "", false, nil
	case *string:
		return 0, *v, true, nil
	case *sinew.Class:
		return 0, string(*v), true, nil
	case *sinew.FindingState:
		return 0, string(*v), true, nil
	case *sinew.Verdict:
		return 0, string(*v), true, nil
	case *sinew.PresenceState:
		return 0, string(*v), true, nil
	case *sinew.Basis:
		return 0, string(*v), true, nil
	case *sinew.ToolStatus:
		return 0, string(*v), true, nil
	}
	return 0, "", false, fmt.Errorf("a column is a %T", target)
}

func setColumn(target any, n int64, s string) {
	switch v := target.(type) {
	case *int64:
		*v = n
	case *int:
		*v = int(n)
	case *string:
		*v = s
	case *sinew.Class:
		*v = sinew.Class(s)
	case *sinew.FindingState:
		*v = sinew.FindingState(s)
	case *sinew.Verdict:
		*v = sinew.Verdict(s)
	case *sinew.PresenceState:
		*v = sinew.PresenceState(s)
	case *sinew.Basis:
		*v = sinew.Basis(s)
	case *sinew.ToolStatus:
		*v = sinew.ToolStatus(s)
	}
}

// appendChanges writes a mask of the columns and their values.
func appendChanges(b []byte, now, was []any) ([]byte, error) {
	var mask uint64
	for i := range now {
		n, s, _, err := column(now[i])
		if err != nil {
			return b, err
		}
		if m, t, _, _ := column(was[i]); n != m || s != t {
			mask |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, mask)
	for ; mask != 0; mask &= mask - 1 {
		n, s, text, err := column(was[bits.TrailingZeros64(mask)])
		if err != nil {
			return b, err
		}
		if text {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		} else {
			b = binary.AppendVarint(b, n)
		}
	}
	return b, nil
}

var errChanges = errors.New("the record of a change is cut off or damaged")

func restoreChanges(b []byte, row []any) ([]byte, error) {
	mask, size := binary.Uvarint(b)
	if size <= 0 || mask>>len(row) != 0 {
		return b, errChanges
	}
	b = b[size:]
	for ; mask != 0; mask &= mask - 1 {
		target := row[bits.TrailingZeros64(mask)]
		_, _, text, err := column(target)
		if err != nil {
			return b, err
		}
		if !text {
			n, size := binary.Varint(b)
			if size <= 0 {
				return b, errChanges
			}
			setColumn(target, n, "")
			b = b[size:]
			continue
		}
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) { //nolint:gosec // not negative
			return b, errChanges
		}
		end := size + int(n) //nolint:gosec // at most len(b)
		setColumn(target, 0, string(b[size:end]))
		b = b[end:]
	}
	return b, nil
}
