package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
)

// What the projector reads back. All of it is "current": gen_to IS NULL, which
// includes what the open stage has flushed. Long scans are paged, each page in a
// transaction of its own, so that no reader holds the log of the database.

// scanPage is how many rows one page of a scan has.
const scanPage = 8192

// PresenceKeys is what matching and covering need to know of a presence.
type PresenceKeys struct {
	Finding  int64
	Origin   int64 // the finding's first observation in fold order
	State    sinew.PresenceState
	Hash     int64
	LastSeen int64
	Line     int64
	Tool     int64
	Content  int64
	PlaceKey int64
	Moved    int64
	Near     int64
}

const keyColumns = `p.state, p.obs_hash, p.last_seen, p.line, p.k_tool, p.k_content, p.k_place, p.k_moved, p.k_near`

func (k *PresenceKeys) targets() []any {
	return []any{&k.Finding, &k.Origin, &k.State, &k.Hash, &k.LastSeen, &k.Line, &k.Tool, &k.Content, &k.PlaceKey, &k.Moved, &k.Near}
}

// ScanPlace gives the presences of a place, by finding. origins asks for Origin
// as well, which costs a look at each finding; else it is the finding's id.
func (db *DB) ScanPlace(ctx context.Context, space, place int64, origins bool, fn func(*PresenceKeys) error) error {
	if origins {
		return db.scanKeys(ctx, fn, `SELECT p.finding_id, f.origin, `+keyColumns+` FROM presence p
			JOIN finding f ON f.space = p.space AND f.id = p.finding_id AND f.gen_to IS NULL
			WHERE p.space = $1 AND p.place_id = $2 AND p.finding_id > $3 AND p.gen_to IS NULL
			ORDER BY p.finding_id LIMIT $4`, space, place)
	}
	return db.scanKeys(ctx, fn, `SELECT p.finding_id, p.finding_id, `+keyColumns+` FROM presence p
		WHERE p.space = $1 AND p.place_id = $2 AND p.finding_id > $3 AND p.gen_to IS NULL
		ORDER BY p.finding_id LIMIT $4`, space, place)
}

// CountPlace gives how many presences a place has.
func (db *DB) CountPlace(ctx context.Context, space, place int64) (n int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT count(*) FROM presence WHERE space = $1 AND place_id = $2`, space, place).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count presences: %w", err)
	}
	return n, nil
}

// ScanSiblings gives, for each finding of a family whose headline is made by a
// presence in another place, that presence; by finding.
func (db *DB) ScanSiblings(ctx context.Context, space, family, except int64, fn func(*PresenceKeys) error) error {
	return db.scanKeys(ctx, fn, `SELECT p.finding_id, f.origin, `+keyColumns+` FROM finding f
		JOIN presence p ON p.space = f.space AND p.finding_id = f.id AND p.place_id = f.place_id AND p.gen_to IS NULL
		WHERE f.space = $1 AND f.family_id = $2 AND f.id > $3 AND f.gen_to IS NULL AND f.place_id <> $5
		ORDER BY f.id LIMIT $4`, space, family, except)
}

func (db *DB) scanKeys(ctx context.Context, fn func(*PresenceKeys) error, query string, space, of int64, more ...any) error {
	k := PresenceKeys{Finding: -1}
	targets := k.targets()
	for {
		n := 0
		err := db.read(ctx, func(t *tx) error {
			rows, err := t.QueryContext(ctx, query, append([]any{space, of, k.Finding, scanPage}, more...)...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := rows.Scan(targets...); err != nil {
					return err
				}
				n++
				if err := fn(&k); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err != nil {
			return fmt.Errorf("read presences: %w", err)
		}
		if n < scanPage {
			return nil
		}
	}
}

// FindingsByID gives the current rows of the findings, by id. Ids without a row
// are left out.
func (db *DB) FindingsByID(ctx context.Context, space int64, ids []int64) ([]FindingRow, error) {
	out := make([]FindingRow, 0, len(ids))
	err := db.read(ctx, func(t *tx) error {
		for ids := range slices.Chunk(ids, idChunk) {
			q := (&query{}).add(`SELECT `+findingSelect+` FROM finding WHERE space = ? AND gen_to IS NULL AND `, space)
			inIDs(db.dialect, q, "id", ids)
			var err error
			if out, err = appendFindings(ctx, t, out, q.String()+` ORDER BY id`, q.args...); err != nil {
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

// FindingPage gives up to limit current findings with id > after that the
// condition names, by id. See the Findings* conditions.
func (db *DB) FindingPage(ctx context.Context, space int64, cond FindingCond, after int64, limit int) ([]FindingRow, error) {
	var out []FindingRow
	err := db.read(ctx, func(t *tx) (err error) {
		q := (&query{}).add(`SELECT `+findingSelect+` FROM finding WHERE space = ? AND gen_to IS NULL AND id > ?`, space, after)
		if cond.Family != 0 {
			q.add(` AND family_id = ?`, cond.Family)
		}
		if cond.Host != "" {
			q.add(` AND host = ?`, cond.Host)
		}
		if cond.Tool != "" {
			q.add(` AND tool = ? AND rule = ?`, cond.Tool, cond.Rule)
		}
		if cond.Named {
			q.add(` AND ids <> ''`)
		}
		out, err = appendFindings(ctx, t, nil, q.add(` ORDER BY id LIMIT ?`, limit).String(), q.args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return out, nil
}

// FindingCond narrows [DB.FindingPage]; the zero value takes every finding.
type FindingCond struct {
	Family int64
	Host   string
	Tool   string // with Rule
	Rule   string
	Named  bool // by a public id of a vulnerability
}

func appendFindings(ctx context.Context, t *tx, out []FindingRow, query string, args ...any) ([]FindingRow, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var f FindingRow
	targets := f.targets()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// PresencesOf gives all current presences of the findings, by finding.
func (db *DB) PresencesOf(ctx context.Context, space int64, ids []int64) ([]PresenceRow, error) {
	out := make([]PresenceRow, 0, 2*len(ids))
	err := db.read(ctx, func(t *tx) error {
		for ids := range slices.Chunk(ids, idChunk) {
			q := (&query{}).add(`SELECT `+presenceSelect+` FROM presence WHERE space = ? AND gen_to IS NULL AND `, space)
			inIDs(db.dialect, q, "finding_id", ids)
			rows, err := t.QueryContext(ctx, q.String()+` ORDER BY finding_id, place_id`, q.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			var p PresenceRow
			targets := p.targets()
			for rows.Next() {
				if err := rows.Scan(targets...); err != nil {
					return err
				}
				out = append(out, p)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read presences: %w", err)
	}
	return out, nil
}

// Redirects gives the births that are part of the findings, by old birth.
func (db *DB) Redirects(ctx context.Context, space int64, findings []int64) ([]RedirectRow, error) {
	return db.redirects(ctx, space, "new_id", findings)
}

// RedirectsFrom tells which of the births are redirected, and to which finding.
func (db *DB) RedirectsFrom(ctx context.Context, space int64, births []int64) (map[int64]int64, error) {
	rows, err := db.redirects(ctx, space, "old_id", births)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]int64, len(rows))
	for _, r := range rows {
		out[r.Old] = r.New
	}
	return out, nil
}

// ResolveBirths gives the finding that each birth is part of now: itself, or
// what it is redirected to.
func (db *DB) ResolveBirths(ctx context.Context, space int64, births []int64) (map[int64]int64, error) {
	out, err := db.RedirectsFrom(ctx, space, births)
	if err != nil {
		return nil, err
	}
	for _, b := range births {
		if _, ok := out[b]; !ok {
			out[b] = b
		}
	}
	return out, nil
}

func (db *DB) redirects(ctx context.Context, space int64, by string, ids []int64) (out []RedirectRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		for ids := range slices.Chunk(ids, idChunk) {
			q := (&query{}).add(`SELECT old_id, new_id FROM redirect WHERE space = ? AND gen_to IS NULL AND `, space)
			inIDs(db.dialect, q, by, ids)
			rows, err := t.QueryContext(ctx, q.String()+` ORDER BY old_id`, q.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var r RedirectRow
				if err := rows.Scan(&r.Old, &r.New); err != nil {
					return err
				}
				out = append(out, r)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read redirects: %w", err)
	}
	return out, nil
}

// VerdictsOf gives every decision on the births, by birth and seq.
func (db *DB) VerdictsOf(ctx context.Context, space int64, births []int64) ([]VerdictRow, error) {
	return db.verdicts(ctx, space, "birth_id", births)
}

// VerdictsAt gives what some entries decided, by birth and seq.
func (db *DB) VerdictsAt(ctx context.Context, space int64, seqs []int64) ([]VerdictRow, error) {
	return db.verdicts(ctx, space, "seq", seqs)
}

func (db *DB) verdicts(ctx context.Context, space int64, by string, list []int64) (out []VerdictRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		for part := range slices.Chunk(list, idChunk) {
			q := (&query{}).add(`SELECT birth_id, seq, verdict, actor, until, owner, at,
				undoes, words, words_by, was, was_by, was_words, was_until, was_owner FROM verdict WHERE space = ? AND `, space)
			inIDs(db.dialect, q, by, part)
			rows, err := t.QueryContext(ctx, q.String()+` ORDER BY birth_id, seq`, q.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var v VerdictRow
				if err := rows.Scan(&v.Birth, &v.Seq, &v.Verdict, &v.Actor, &v.Until, &v.Owner, &v.At,
					&v.Undoes, &v.Words, &v.WordsBy, &v.Was.Verdict, &v.Was.By, &v.Was.Words, &v.Was.Until, &v.Was.Owner); err != nil {
					return err
				}
				out = append(out, v)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return out, nil
}

// ExpiredDecisions gives findings whose standing decision ended before now.
func (db *DB) ExpiredDecisions(ctx context.Context, space, now int64, limit int) (ids []int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM finding WHERE space = $1 AND gen_to IS NULL AND until > 0 AND until <= $2
			AND gen_from <= (SELECT live_gen FROM space WHERE id = $1) ORDER BY id LIMIT $3`, space, now, limit)
		if err != nil {
			return err
		}
		ids, err = scanColumn[int64](rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read decisions that ended: %w", err)
	}
	return ids, nil
}
