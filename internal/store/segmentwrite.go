package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

var segmentTable = table{"finding_segment", strings.Fields(`space id gen_from entries trigrams numbers texts`)}

// save writes the segments that are ready.
func (w *segmentWriter) save(ctx context.Context, t *tx, space int64) error {
	if len(w.done) == 0 {
		return nil
	}
	var next int64 // one projector at a time, which the fence sees to
	if err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM finding_segment WHERE space = $1`, space).Scan(&next); err != nil {
		return err
	}
	var values []any
	for i, s := range w.done {
		values = append(values, space, next+int64(i), s.newest, int64(s.rows), s.trigrams, s.numbers, s.texts)
	}
	if err := bulkInsert(ctx, t, segmentTable.name, segmentTable.cols, values); err != nil {
		return err
	}
	w.done = nil
	return nil
}

// enter puts a row that is staged into the segments.
func (s *Stage) enter(r *FindingRow) error {
	if s.segments == nil {
		var err error
		if s.segments, err = newSegmentWriter(); err != nil {
			return err
		}
	}
	entry := *r
	entry.GenFrom = s.gen
	s.segments.add(&entry)
	return nil
}

// seal writes the entries that are left at the end of a stage.
func (s *Stage) seal(ctx context.Context) error {
	if s.segments == nil {
		return nil
	}
	s.segments.cut()
	if len(s.segments.done) == 0 {
		return nil
	}
	return s.tx(ctx, func(t *tx) error { return s.segments.save(ctx, t, s.space) })
}

// Segments grow old: rows end and their entries stay, and every small report
// leaves a small segment. They are written anew when there are more than
// segmentsSmall with less than an eighth of segmentRows entries, or half as many
// entries again as there are findings, and entriesStale more.
const (
	segmentsSmall = 16
	entriesStale  = 50_000
)

// oldSegment is one that may be written anew.
type oldSegment struct{ id, entries int64 }

// compact merges small segments, and writes anew those in which many entries
// have lost their rows. It is called by the holder of the lease, between stages.
func (s *Stage) compact(ctx context.Context) error { return s.compactBeyond(ctx, entriesStale) }

// compactBeyond lets so many entries without rows be.
func (s *Stage) compactBeyond(ctx context.Context, stale int64) error {
	var small, large []oldSegment
	var total, rows int64
	err := s.db.read(ctx, func(t *tx) error {
		found, err := t.QueryContext(ctx, `SELECT id, entries FROM finding_segment WHERE space = $1 ORDER BY id`, s.space)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var o oldSegment
			if err := found.Scan(&o.id, &o.entries); err != nil {
				return err
			}
			total += o.entries
			if o.entries < segmentRows/8 {
				small = append(small, o)
			} else {
				large = append(large, o)
			}
		}
		if err := found.Err(); err != nil {
			return err
		}
		return t.QueryRowContext(ctx, `SELECT COALESCE(SUM(n), 0) FROM counter WHERE space = $1 AND dim = 'state'`, s.space).Scan(&rows)
	})
	if err != nil {
		return err
	}
	if len(small) > segmentsSmall {
		if err := s.merge(ctx, small); err != nil {
			return err
		}
	}
	if total <= rows+rows/2+stale {
		return nil
	}
	for _, o := range large {
		if err := s.rewrite(ctx, []int64{o.id}, o.entries*3/4); err != nil {
			return err
		}
	}
	return nil
}

// merge makes larger segments of small ones, of a bounded number at a time.
func (s *Stage) merge(ctx context.Context, small []oldSegment) error {
	var ids []int64
	var entries int64
	for i, o := range small {
		ids, entries = append(ids, o.id), entries+o.entries
		if entries < segmentRows/2 && i+1 < len(small) {
			continue
		}
		if err := s.rewrite(ctx, ids, entries); err != nil {
			return err
		}
		ids, entries = nil, 0
	}
	return nil
}

// rewrite replaces segments by one or two with those of their entries whose rows
// are still there, if these are no more than most.
func (s *Stage) rewrite(ctx context.Context, ids []int64, most int64) error {
	w, err := newSegmentWriter()
	if err != nil {
		return err
	}
	var left []rowVersion
	err = s.db.read(ctx, func(t *tx) error {
		versions, err := s.versionsIn(ctx, t, ids)
		if err != nil {
			return err
		}
		if left, err = s.stillThere(ctx, t, versions); err != nil || int64(len(left)) > most {
			return err
		}
		return s.enterRows(ctx, t, w, left)
	})
	if err != nil || int64(len(left)) > most {
		return err
	}
	w.cut()
	return s.tx(ctx, func(t *tx) error {
		q := (&query{}).add(`DELETE FROM finding_segment WHERE space = ? AND `, s.space)
		inIDs(t.db.dialect, q, "id", ids)
		if _, err := t.ExecContext(ctx, q.String(), q.args...); err != nil {
			return err
		}
		return w.save(ctx, t, s.space)
	})
}

// rowVersion names a version of a finding's row.
type rowVersion struct{ id, gen int64 }

// versionsIn gives the row versions that segments have entries of, by id.
func (s *Stage) versionsIn(ctx context.Context, t *tx, ids []int64) (out []rowVersion, err error) {
	q := (&query{}).add(`SELECT entries, numbers FROM finding_segment WHERE space = ? AND `, s.space)
	inIDs(t.db.dialect, q, "id", ids)
	rows, err := t.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var e entries
	for rows.Next() {
		var n int
		var numbers sql.RawBytes
		if err := rows.Scan(&n, &numbers); err != nil {
			return nil, err
		}
		if err := e.decode(n, numbers, 0, firstText, columnsOf(numID, numGen)); err != nil {
			return nil, err
		}
		for i := range e.rows {
			out = append(out, rowVersion{e.number(numID, i), e.number(numGen, i)})
		}
	}
	slices.SortFunc(out, func(a, b rowVersion) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.gen, b.gen)) })
	return slices.Compact(out), rows.Err()
}

// stillThere gives those of some row versions that are in the table.
func (s *Stage) stillThere(ctx context.Context, t *tx, versions []rowVersion) (out []rowVersion, err error) {
	for chunk := range slices.Chunk(versions, skimmedChunk) {
		known, ids := versionSet(chunk)
		q := (&query{}).add(`SELECT id, gen_from FROM finding WHERE space = ? AND `, s.space)
		inIDs(t.db.dialect, q, "id", ids)
		rows, err := t.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var r rowVersion
			if err := rows.Scan(&r.id, &r.gen); err != nil {
				return nil, err
			}
			if known[r] {
				out = append(out, r)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func versionSet(versions []rowVersion) (set map[rowVersion]bool, ids []int64) {
	set = make(map[rowVersion]bool, len(versions))
	for _, r := range versions {
		set[r] = true
		ids = append(ids, r.id)
	}
	return set, slices.Compact(ids)
}

// enterRows makes entries of row versions.
func (s *Stage) enterRows(ctx context.Context, t *tx, w *segmentWriter, versions []rowVersion) error {
	for chunk := range slices.Chunk(versions, idChunk) {
		known, ids := versionSet(chunk)
		q := (&query{}).add(`SELECT `+findingSelect+` FROM finding WHERE space = ? AND `, s.space)
		inIDs(t.db.dialect, q, "id", ids)
		rows, err := appendFindings(ctx, t, nil, q.String(), q.args...)
		if err != nil {
			return err
		}
		for i := range rows {
			if known[rowVersion{rows[i].ID, rows[i].GenFrom}] {
				w.add(&rows[i])
			}
		}
	}
	return nil
}

// reindexFindings makes the segments of a space that is not live from its rows.
func (db *DB) reindexFindings(ctx context.Context, lease *Lease, space int64) error {
	s := &Stage{db: db, lease: lease, ws: lease.Workspace, space: space}
	if err := s.reindex(ctx); err != nil {
		return fmt.Errorf("index findings: %w", err)
	}
	return nil
}

func (s *Stage) reindex(ctx context.Context) error {
	err := s.repeat(ctx, `DELETE FROM finding_segment WHERE (space, id) IN (SELECT space, id FROM finding_segment WHERE space = $1 LIMIT 100)`, s.space)
	if err != nil {
		return err
	}
	w, err := newSegmentWriter()
	if err != nil {
		return err
	}
	var last rowVersion
	for {
		var rows []FindingRow
		err := s.db.read(ctx, func(t *tx) (err error) {
			rows, err = appendFindings(ctx, t, nil, `SELECT `+findingSelect+` FROM finding
				WHERE space = $1 AND (id, gen_from) > ($2, $3) ORDER BY id, gen_from LIMIT $4`, s.space, last.id, last.gen, skimmedChunk)
			return err
		})
		if err != nil {
			return err
		}
		for i := range rows {
			w.add(&rows[i])
		}
		if len(rows) == 0 {
			w.cut()
		} else {
			last = rowVersion{rows[len(rows)-1].ID, rows[len(rows)-1].GenFrom}
		}
		if len(w.done) > 0 {
			if err := s.tx(ctx, func(t *tx) error { return w.save(ctx, t, s.space) }); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			return nil
		}
	}
}
