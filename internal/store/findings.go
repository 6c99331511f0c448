package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// order is one way to sort findings. Every order ends with the id, which makes
// it total; all keys go the same way unless flip says otherwise.
type order struct {
	numbers []string // integer expressions, most significant first
	text    string   // a text expression after them, or ""
	desc    bool
	flip    int  // so many of the numbers go the other way
	joined  bool // needs lastSeenJoin
	indexed bool // an index has it

	columns columnSet                                    // of entries, with the numbers
	entry   func(s *sieve, e *entries, row int) [2]int64 // the numbers of an entry; nil for none
}

// FindingSorts lists the names by which findings can be sorted, the usual one
// first. Each takes a "-" in front, except that the usual one has it already.
var FindingSorts = []string{
	"-severity", "severity", "recorded", "-recorded", "first_seen", "-first_seen",
	"last_seen", "-last_seen", "since", "-since", "title", "-title",
}

// DefaultFindingSort is what is to be done first: active before closed, worst
// first, newest first.
const DefaultFindingSort = "-severity"

func orderOf(sort string) (order, error) {
	name, desc := strings.CutPrefix(sort, "-")
	o := order{desc: desc}
	switch name {
	case "severity":
		o.numbers, o.indexed = []string{"f.active", "f.severity"}, true
		o.columns = columnsOf(numActive, numSeverity)
		o.entry = func(_ *sieve, e *entries, row int) [2]int64 {
			return [2]int64{e.number(numActive, row), e.number(numSeverity, row)}
		}
		if !desc {
			o.flip = 1 // active ones still come first
		}
	case "recorded":
		o.indexed = true
	case "first_seen":
		o.numbers = []string{"f.first_seen"}
		o.columns = columnsOf(numFirstSeen)
		o.entry = func(_ *sieve, e *entries, row int) [2]int64 { return [2]int64{e.number(numFirstSeen, row)} }
	case "last_seen":
		o.numbers, o.joined = []string{lastSeen}, true
		o.columns = lastSeenColumns
		o.entry = func(s *sieve, e *entries, row int) [2]int64 { return [2]int64{s.lastSeen(e, row)} }
	case "since":
		o.numbers = []string{"f.since"}
		o.columns = columnsOf(numSince)
		o.entry = func(_ *sieve, e *entries, row int) [2]int64 { return [2]int64{e.number(numSince, row)} }
	case "title":
		o.text, o.columns = "f.title", columnsOf(textTitle)
	default:
		return o, sinew.Errorf(sinew.CodeInvalid, "findings cannot be sorted by %q", sort).
			Hint("use %s", strings.Join(FindingSorts, ", "))
	}
	return o, nil
}

// Findings lists the findings that fulfil a filter and that r may see, a page at
// a time. next is the cursor of the following page, "" at the end.
//
// The published pairs of filter and sort (docs/api.md) take the same time
// whatever the number of findings: the sorts -severity, severity, recorded and
// -recorded with no filter and with any that at least one in a hundred of the
// first findings fulfils; and every sort with an application, a target or
// readers' units of fewer than 4,000 findings, or a place of fewer than 5,000.
// Anything else reads packed columns of all findings: 0.1 to 0.3 s of processor
// time a million.
func (db *DB) Findings(ctx context.Context, r sinew.Reader, f *filter.Query, p Page) (list []sinew.Finding, next string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	if p.Sort == "" {
		p.Sort = DefaultFindingSort
	}
	o, err := orderOf(p.Sort)
	if err != nil {
		return nil, "", err
	}
	of := cursorOf("findings", f.String(), p.Sort)
	after, err := parseCursor(p.After, of, len(o.numbers))
	if err != nil {
		return nil, "", err
	}
	err = db.view(ctx, r, func(v *view) error {
		keys, err := v.findingKeys(ctx, f, o, after, limit+1)
		if err != nil {
			return err
		}
		if len(keys) > limit {
			keys = keys[:limit]
			last := keys[limit-1]
			next = cursor{Of: of, Numbers: last.numbers[:len(o.numbers)], Text: last.text, ID: v.public(sinew.IDFinding, last.id)}.String()
		}
		list, err = v.findings(ctx, keys)
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("list findings: %w", err)
	}
	return list, next, nil
}

// findingKey is a row's place in an order.
type findingKey struct {
	id      int64
	numbers [2]int64
	text    string
}

// walks are how many findings are looked at in the order of an index: first as
// many as nearly every page takes, as SQLite sorts them again, then some 10 ms
// worth, before other ways are gone.
var walks = []int{500, 8_000}

// findingKeys finds the ids of a page; the whole rows are read afterwards. There
// are four ways, tried in this order:
//
//   - where an index has the order, a walk along it: the page is usually full
//     after a few rows;
//   - where an index finds few that may fulfil the filter, those, sorted;
//   - the segments: packed columns of all findings (decision 011);
//   - the whole table, when the segments know too little of the filter.
func (v *view) findingKeys(ctx context.Context, f *filter.Query, o order, c *cursor, limit int) ([]findingKey, error) {
	var after *findingKey
	if c != nil {
		id, err := sinew.ParsePublicID(v.uuid, sinew.IDFinding, c.ID)
		if err != nil {
			return nil, sinew.Errorf(sinew.CodeInvalid, "the cursor is not one of this list").Hint("begin again without a cursor")
		}
		after = &findingKey{id: id, text: c.Text}
		copy(after.numbers[:], c.Numbers)
	}
	if o.indexed {
		for _, most := range walks {
			keys, err := v.walk(ctx, f, o, after, most, limit)
			if err != nil || len(keys) == limit {
				return keys, err
			}
		}
	}
	where, found, err := v.matching(ctx, f)
	if err != nil {
		return nil, err
	}
	if !found.few() && o.packed() {
		keys, ok, err := v.skimKeys(ctx, f, &o, where, after, limit)
		if err != nil || ok {
			return keys, err
		}
	}
	return v.sort(ctx, o, where, found, after, limit)
}

// walk looks at the next findings along the index that has the order.
func (v *view) walk(ctx context.Context, f *filter.Query, o order, after *findingKey, most, limit int) ([]findingKey, error) {
	q := (&query{}).add(`SELECT ` + o.selected() + ` FROM (SELECT * FROM finding f`)
	q.add(` WHERE f.space = ?`, v.space.ID)
	v.current(q, "f")
	v.shown(q, f)
	o.narrow(q, f)
	o.after(q, v.db.dialect, after, `f.id`)
	o.by(q, v.db.dialect, `f.id`)
	q.add(` LIMIT ?) f`, most)
	where := &query{args: q.args}
	where.add(` WHERE 1 = 1`)
	v.visible(where, "f.unit_id")
	if _, err := v.compile(ctx, where, f); err != nil {
		return nil, err
	}
	q.args = where.args
	q.add(where.String())
	o.by(q, v.db.dialect, `f.id`)
	return v.scanKeys(ctx, o, q.add(` LIMIT ?`, limit))
}

// sort reads all rows that fulfil a condition and sorts them.
func (v *view) sort(ctx context.Context, o order, where *query, found access, after *findingKey, limit int) ([]findingKey, error) {
	q := (&query{args: where.args}).add(`SELECT ` + o.selected() + found.from(v.db.dialect))
	if o.joined {
		q.add(lastSeenJoin)
	}
	q.add(where.String())
	o = o.sorted()
	o.after(q, v.db.dialect, after, `+f.id`)
	o.by(q, v.db.dialect, `+f.id`)
	return v.scanKeys(ctx, o, q.add(` LIMIT ?`, limit))
}

// matching gives the condition that a finding is visible and fulfils a filter,
// and how such are best found.
func (v *view) matching(ctx context.Context, f *filter.Query) (*query, access, error) {
	where := (&query{}).add(` WHERE f.space = ?`, v.space.ID)
	v.current(where, "f")
	v.shown(where, f)
	column, few := "+f.unit_id", false // the index on units is for few findings only
	if units, all := v.visibleUnits(); !all {
		var err error
		if few, err = v.fewIn(ctx, units); err != nil {
			return nil, access{}, err
		}
		if few {
			column = "f.unit_id"
		}
	}
	v.visible(where, column)
	found, err := v.compile(ctx, where, f)
	found.unit = found.unit || few
	return where, found, err
}

func (v *view) scanKeys(ctx context.Context, o order, q *query) ([]findingKey, error) {
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []findingKey
	for rows.Next() {
		var k findingKey
		to := []any{&k.id}
		for i := range o.numbers {
			to = append(to, &k.numbers[i])
		}
		if o.text != "" {
			to = append(to, &k.text)
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// packed reports whether entries of segments have the keys of the order.
func (o order) packed() bool {
	return (len(o.numbers) == 0 || o.entry != nil) && (o.text == "" || o.columns.has(textTitle))
}

// selected are the id and the keys of the order.
func (o order) selected() string {
	columns := append([]string{"f.id"}, o.numbers...)
	if o.text != "" {
		columns = append(columns, o.text)
	}
	return strings.Join(columns, ", ")
}

// sorted is o for a query that must not look for an index that has the order.
func (o order) sorted() order {
	o.numbers = slices.Clone(o.numbers)
	for i, expr := range o.numbers {
		o.numbers[i] = "+(" + expr + ")"
	}
	return o
}

// narrow appends what a filter says of the leading columns of the index, so that
// a walk begins in the right place. The whole filter is asked as well.
func (o order) narrow(q *query, f *filter.Query) {
	if f == nil || len(o.numbers) == 0 {
		return
	}
	for _, t := range f.Terms {
		if t.Negated {
			continue
		}
		switch t.Field {
		case "is":
			list, reopened := t.States()
			active := slices.ContainsFunc(list, sinew.FindingState.Active)
			closed := slices.ContainsFunc(list, func(s sinew.FindingState) bool { return !s.Active() })
			if !reopened && active != closed {
				q.add(` AND f.active = ?`, map[bool]int{false: 0, true: 1}[active])
			}
		case "severity":
			in(q.add(` AND `), "f.severity", ranks(t))
		}
	}
}

// by appends ORDER BY.
func (o order) by(q *query, d dialect, idColumn string) {
	way := map[bool]string{false: "", true: " DESC"}
	q.add(` ORDER BY `)
	for i, expr := range o.numbers {
		q.add(expr + way[o.desc != (i < o.flip)] + `, `)
	}
	if o.text != "" {
		q.add(o.text + d.binary + way[o.desc] + `, `)
	}
	q.add(idColumn + way[o.desc])
}

// after appends the condition that a row comes after a key; nil is before all.
func (o order) after(q *query, d dialect, key *findingKey, idColumn string) {
	if key == nil {
		return
	}
	sign := map[bool]string{false: `>`, true: `<`}
	numbers := key.numbers[:len(o.numbers)]
	if o.indexed { // small integers on PostgreSQL, and nobody knows what the sender made of them
		numbers = slices.Clone(numbers)
		for i, n := range numbers {
			numbers[i] = min(max(n, math.MinInt32), math.MaxInt32)
		}
	}
	// The keys that go the other way, one after another; the rest as one row
	// value, which both engines look up in an index.
	for i, expr := range o.numbers[:o.flip] {
		q.add(` AND (`+expr+` `+sign[!o.desc]+` ? OR (`+expr+` = ?`, numbers[i], numbers[i])
	}
	left := slices.Clone(o.numbers[o.flip:])
	args := make([]any, 0, len(left)+2)
	for _, n := range numbers[o.flip:] {
		args = append(args, n)
	}
	if o.text != "" {
		left, args = append(left, o.text+d.binary), append(args, key.text)
	}
	left, args = append(left, idColumn), append(args, key.id)
	q.add(` AND (`+strings.Join(left, ", ")+`) `+sign[o.desc]+` (?`+strings.Repeat(`, ?`, len(left)-1)+`)`, args...)
	q.add(strings.Repeat(`))`, o.flip))
}

// findings reads the rows of a page in the order of its keys.
func (v *view) findings(ctx context.Context, keys []findingKey) ([]sinew.Finding, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	rows, err := v.findingRows(ctx, ids)
	if err != nil {
		return nil, err
	}
	names, err := v.surroundings(ctx, rows)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*FindingRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	list := make([]sinew.Finding, 0, len(keys))
	for _, id := range ids {
		if row := byID[id]; row != nil {
			list = append(list, v.finding(row, names))
		}
	}
	return list, nil
}

// findingRows reads rows that the reader may see, in no particular order.
func (v *view) findingRows(ctx context.Context, ids []int64) (out []FindingRow, err error) {
	for chunk := range slices.Chunk(ids, idChunk) {
		q := (&query{}).add(`SELECT `+findingSelect+` FROM finding f WHERE f.space = ? AND `, v.space.ID)
		inIDs(v.db.dialect, q, "f.id", chunk)
		v.current(q, "f")
		v.visible(q, "+f.unit_id")
		if out, err = appendFindings(ctx, v.tx, out, q.String(), q.args...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// nearby are the small rows that findings refer to.
type nearby struct {
	units    map[int64]string
	families map[int64]FamilyRow
	places   map[int64]PlaceRow
}

func (v *view) surroundings(ctx context.Context, rows []FindingRow) (nearby, error) {
	units, families, places := map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	for i := range rows {
		units[rows[i].Unit], families[rows[i].Family], places[rows[i].Place] = true, true, true
	}
	return v.nearby(ctx, units, families, places)
}

func (v *view) nearby(ctx context.Context, units, families, places map[int64]bool) (n nearby, err error) {
	if n.units, err = v.unitNames(ctx, slices.Collect(maps.Keys(units))); err != nil {
		return n, err
	}
	if n.places, err = v.placeRows(ctx, slices.Collect(maps.Keys(places))); err != nil {
		return n, err
	}
	for _, p := range n.places {
		families[p.Family] = true
	}
	n.families, err = v.familyRows(ctx, slices.Collect(maps.Keys(families)))
	return n, err
}

func (v *view) unitNames(ctx context.Context, ids []int64) (map[int64]string, error) {
	out := map[int64]string{}
	return out, v.each(ctx, `SELECT id, name FROM unit WHERE space = ? AND `, ids, func(row scanner) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		out[id] = name
		return err
	})
}

func (v *view) familyRows(ctx context.Context, ids []int64) (map[int64]FamilyRow, error) {
	out := map[int64]FamilyRow{}
	return out, v.each(ctx, `SELECT id, source, tool, target, label, unit_id FROM family WHERE space = ? AND `, ids, func(row scanner) error {
		var f FamilyRow
		err := row.Scan(&f.ID, &f.Source, &f.Tool, &f.Target, &f.Label, &f.Unit)
		out[f.ID] = f
		return err
	})
}

func (v *view) placeRows(ctx context.Context, ids []int64) (map[int64]PlaceRow, error) {
	out := map[int64]PlaceRow{}
	return out, v.each(ctx, `SELECT id, family_id, kind, ref, environment, service, version, head_seq, seen_at, ended FROM place WHERE space = ? AND `,
		ids, func(row scanner) error {
			var p PlaceRow
			err := row.Scan(&p.ID, &p.Family, &p.Kind, &p.Ref, &p.Environment, &p.Service, &p.Version, &p.Head, &p.SeenAt, &p.Ended)
			out[p.ID] = p
			return err
		})
}

// each reads the rows of a small table that have one of the ids.
func (v *view) each(ctx context.Context, text string, ids []int64, scan func(scanner) error) error {
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, idChunk) {
		q := (&query{}).add(text, v.space.ID)
		inIDs(v.db.dialect, q, "id", chunk)
		rows, err := v.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}
