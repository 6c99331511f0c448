package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/sinewsec/sinew/internal/filter"
)

const (
	skimmedKeys  = 8_000  // entries, first in the order, whose rows are looked up for a page
	skimmedIDs   = 40_000 // entries whose rows are looked up to count
	skimmedChunk = 1_000  // rows looked up by one statement
)

// sieve prepares a filter for entries; o may be nil.
func (v *view) sieve(ctx context.Context, f *filter.Query, o *order) (*sieve, error) {
	s := &sieve{columns: columnsOf(numID)}
	if o != nil {
		s.columns |= o.columns
	}
	if needsPlaces(f, o) {
		if err := v.placesSeen(ctx, s); err != nil {
			return nil, err
		}
	}
	if units, all := v.visibleUnits(); !all {
		s.ids(false, numUnit, units)
	}
	s.columns |= columnsOf(numLead)
	duplicates := asksDuplicates(f)
	s.numbers = append(s.numbers, func(e *entries, row int) bool { return (e.number(numLead, row) == 2) == duplicates })
	if f == nil {
		return s, nil
	}
	for _, t := range f.Terms {
		switch t.Field {
		case "app":
			ids, err := v.unitIDs(ctx, t)
			if err != nil {
				return nil, err
			}
			s.ids(t.Negated, numUnit, ids)
		case "target", "source":
			ids, err := v.familyIDs(ctx, t)
			if err != nil {
				return nil, err
			}
			s.ids(t.Negated, numFamily, ids)
		default:
			s.term(v, t)
		}
	}
	return s, nil
}

func (v *view) placesSeen(ctx context.Context, s *sieve) error {
	s.seenAt = map[int64]int64{}
	rows, err := v.QueryContext(ctx, `SELECT id, seen_at FROM place WHERE space = $1`, v.space.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return err
		}
		s.seenAt[id] = at
	}
	return rows.Err()
}

var entriesPool = sync.Pool{New: func() any { return &entries{} }}

// errEnough ends the skimming.
var errEnough = errors.New("enough")

// skim visits the segments in which something may pass.
func (v *view) skim(ctx context.Context, s *sieve, visit func(*entries) error) error {
	columns, ids := `entries, numbers`, []int64(nil)
	if s.columns.texts() {
		columns += `, texts`
		var err error
		if ids, err = v.segmentsFor(ctx, s); err != nil || len(ids) == 0 {
			return err
		}
	}
	q := (&query{}).add(`SELECT `+columns+` FROM finding_segment WHERE space = ? AND gen_from <= ?`, v.space.ID, v.space.LiveGen)
	if s.columns.texts() {
		inIDs(v.db.dialect, q.add(` AND `), "id", ids)
	}
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY id`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	e := entriesPool.Get().(*entries)
	defer entriesPool.Put(e)
	for rows.Next() {
		var n int
		var numbers, texts sql.RawBytes
		to := []any{&n, &numbers}
		if s.columns.texts() {
			to = append(to, &texts)
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		ok := true
		if s.columns.texts() { // most segments end here: the numbers are not worth unpacking
			if err := e.decode(n, texts, firstText, allColumns, s.columns); err != nil {
				return err
			}
			if ok, err = s.search(e, true); err != nil {
				return err
			}
		}
		if ok {
			if err := e.decode(n, numbers, 0, firstText, s.columns); err != nil {
				return err
			}
			if ok, err = s.search(e, false); err != nil {
				return err
			}
		}
		if !ok {
			continue
		}
		if err := visit(e); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
	}
	return rows.Err()
}

// segmentsFor gives the segments whose trigrams allow that something passes.
func (v *view) segmentsFor(ctx context.Context, s *sieve) (ids []int64, err error) {
	rows, err := v.QueryContext(ctx, `SELECT id, trigrams FROM finding_segment WHERE space = $1 AND gen_from <= $2`, v.space.ID, v.space.LiveGen)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var trigrams sql.RawBytes
		if err := rows.Scan(&id, &trigrams); err != nil {
			return nil, err
		}
		if s.mayPass(trigrams) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// topKeys keeps the first keys of an order, after one.
type topKeys struct {
	o     *order
	after *findingKey // nil for the beginning
	most  int
	keys  []findingKey
	last  *findingKey // what comes after it is left out; nil while all are kept
}

func (t *topKeys) add(k findingKey, text []byte) {
	if t.last != nil && t.o.text != "" && string(text) != t.last.text && sign(string(text) < t.last.text, t.o.desc) > 0 {
		return // before anything is allocated for it
	}
	k.text = string(text)
	if t.last != nil && t.o.compareKeys(&k, t.last) >= 0 || t.after != nil && t.o.compareKeys(&k, t.after) <= 0 {
		return
	}
	if t.keys = append(t.keys, k); len(t.keys) >= 2*t.most {
		t.sort()
	}
}

// sort brings the keys into order, each once, and the first of them only.
func (t *topKeys) sort() {
	slices.SortFunc(t.keys, func(a, b findingKey) int { return t.o.compareKeys(&a, &b) })
	t.keys = slices.Compact(t.keys)
	if len(t.keys) > t.most {
		t.keys = t.keys[:t.most]
		last := t.keys[t.most-1]
		t.last = &last
	}
}

// skimKeys finds a page by the segments. It gives up (ok is false) when the
// entries know too little of the filter.
func (v *view) skimKeys(ctx context.Context, f *filter.Query, o *order, where *query, after *findingKey, limit int) (keys []findingKey, ok bool, err error) {
	s, err := v.sieve(ctx, f, o)
	if err != nil {
		return nil, false, err
	}
	top := topKeys{o: o, after: after, most: skimmedKeys}
	err = v.skim(ctx, s, func(e *entries) error {
		if o.text != "" {
			if err := e.string(textTitle).split(); err != nil {
				return err
			}
		}
		for row := range e.rows {
			if s.passes(e, row) {
				k, text := o.entryKey(s, e, row)
				top.add(k, text)
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	top.sort()
	for chunk := range slices.Chunk(top.keys, skimmedChunk) {
		if keys, err = v.confirm(ctx, o, where, chunk, keys); err != nil || len(keys) >= limit {
			return keys[:min(len(keys), limit)], true, err
		}
	}
	return keys, top.last == nil, nil
}

// confirm looks the rows of keys up, and appends those keys that are still true
// and whose rows fulfil the whole filter.
func (v *view) confirm(ctx context.Context, o *order, where *query, chunk, keys []findingKey) ([]findingKey, error) {
	ids := make([]int64, len(chunk))
	for i := range chunk {
		ids[i] = chunk[i].id
	}
	q := (&query{args: where.args}).add(`SELECT ` + o.selected() + v.byID())
	if o.joined {
		q.add(lastSeenJoin)
	}
	inIDs(v.db.dialect, q.add(where.String()+` AND `), "f.id", ids)
	rows, err := v.scanKeys(ctx, *o, q)
	if err != nil {
		return nil, err
	}
	now := make(map[int64]findingKey, len(rows))
	for _, k := range rows {
		now[k.id] = k
	}
	for _, k := range chunk {
		if now[k.id] == k {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// byID is the FROM clause of a look-up by ids.
func (v *view) byID() string {
	if v.db.dialect.engine == "sqlite" {
		return ` FROM finding f INDEXED BY sqlite_autoindex_finding_1`
	}
	return ` FROM finding f`
}

// skimCount counts by the segments. It gives up (ok is false) when the entries
// know too little of the filter.
func (v *view) skimCount(ctx context.Context, f *filter.Query, where *query) (c *tally, ok bool, err error) {
	s, err := v.sieve(ctx, f, nil)
	if err != nil {
		return nil, false, err
	}
	var ids []int64
	err = v.skim(ctx, s, func(e *entries) error {
		for row := range e.rows {
			if s.passes(e, row) {
				ids = append(ids, e.number(numID, row))
			}
		}
		if len(ids) > skimmedIDs {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	all := len(ids) <= skimmedIDs
	slices.Sort(ids)
	c = newTally()
	for chunk := range slices.Chunk(slices.Compact(ids), skimmedChunk) {
		q := (&query{args: where.args}).add(v.byID() + where.String() + ` AND `)
		inIDs(v.db.dialect, q, "f.id", chunk)
		if err := v.tally(ctx, c, q); err != nil {
			return nil, false, err
		}
		if c.Total > CountCap {
			return c, true, nil
		}
	}
	return c, all, nil
}

// entryKey is a row's place in the order, as its entry says; text is good until
// the next segment.
func (o *order) entryKey(s *sieve, e *entries, row int) (k findingKey, text []byte) {
	k.id = e.number(numID, row)
	if o.entry != nil {
		k.numbers = o.entry(s, e, row)
	}
	if o.text != "" {
		text = e.string(textTitle).bytes(row)
	}
	return k, text
}
