package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Group is the findings of a filter that have something in common.
type Group struct {
	Key        string                   `json:"key"` // "" for those that have no such thing
	Title      string                   `json:"title"`
	Count      int64                    `json:"count"`
	Severities map[sinew.Severity]int64 `json:"severities"`
	Worst      sinew.Severity           `json:"worst"`
	Filter     string                   `json:"filter"` // finds exactly these findings
}

// grouping is one way to group.
type grouping struct {
	by     string
	column string
	field  string // of the filter language, with the column's values
	none   bool   // the field knows "none"
	title  string // aggregate that names a group; "" for its key
}

var groupings = []grouping{
	{by: "rule", column: "f.rule", field: "rule", title: "MIN(f.title)"},
	{by: "root_cause", column: "f.cause", field: "cause", none: true},
	{by: "component", column: "f.package", field: "package", none: true},
	{by: "application", column: "f.unit_id", field: "app", none: true},
	{by: "file", column: "f.file", field: "file", none: true},
	{by: "tool", column: "f.tool", field: "tool"},
}

// Groupings lists by what findings can be grouped.
func Groupings() []string {
	names := make([]string, len(groupings))
	for i, g := range groupings {
		names[i] = g.by
	}
	return names
}

// Groups groups the findings that fulfil a filter and that r may see, a page of
// groups at a time: the worst first, of these the largest. Numbers are exact; a
// page reads every finding of the filter once. The filter of each group is the
// given one and what the group has in common, so that it finds exactly the group.
func (db *DB) Groups(ctx context.Context, r sinew.Reader, f *filter.Query, by string, p Page) (list []Group, next string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(groupings, func(g grouping) bool { return g.by == by })
	if i < 0 {
		return nil, "", sinew.Errorf(sinew.CodeInvalid, "findings cannot be grouped by %q", by).Hint("use %s", strings.Join(Groupings(), ", "))
	}
	of := cursorOf("groups", by, f.String())
	after, err := parseCursor(p.After, of, 2)
	if err != nil {
		return nil, "", err
	}
	if after != nil { // a forged one must not exceed the column
		after.Numbers[0] = min(max(after.Numbers[0], -1), int64(len(sinew.Severities)))
	}
	g := groupings[i]
	err = db.view(ctx, r, func(v *view) error {
		var last groupKey
		var more bool
		if g.by == "application" {
			list, last, more, err = v.unitGroups(ctx, f, g, after, limit)
		} else {
			list, last, more, err = v.groups(ctx, f, g, after, limit)
		}
		if more {
			next = cursor{Of: of, Numbers: []int64{last.worst, last.count}, Text: last.text}.String()
		}
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("group findings: %w", err)
	}
	return list, next, nil
}

// groupKey is a group's place in the order.
type groupKey struct {
	worst, count int64
	text         string
}

// severitySums counts the findings of a group by severity, worst first.
var severitySums = func() string {
	var b strings.Builder
	for _, s := range sinew.Severities {
		fmt.Fprintf(&b, ", SUM(CASE WHEN f.severity = %d THEN 1 ELSE 0 END)", s.Rank())
	}
	return b.String()
}()

func (v *view) groups(ctx context.Context, f *filter.Query, g grouping, after *cursor, limit int) (list []Group, last groupKey, more bool, err error) {
	q, err := v.groupQuery(ctx, f, g)
	if err != nil {
		return nil, last, false, err
	}
	column := g.column + v.db.dialect.binary
	if after != nil {
		q.add(` HAVING MAX(f.severity) < ? OR (MAX(f.severity) = ? AND (COUNT(*) < ? OR (COUNT(*) = ? AND `+column+` > ?)))`,
			after.Numbers[0], after.Numbers[0], after.Numbers[1], after.Numbers[1], after.Text)
	}
	q.add(` ORDER BY MAX(f.severity) DESC, COUNT(*) DESC, `+column+` LIMIT ?`, limit+1)
	err = v.eachGroup(ctx, q, func(row groupRow) {
		if len(list) == limit {
			more = true
			return
		}
		list = append(list, row.group(f, g, row.text))
		last = groupKey{row.worst, row.count, row.text}
	})
	return list, last, more, err
}

// unitGroups is groups for a key that must not leave the store: there are few
// enough of them to be put into order here, by name.
func (v *view) unitGroups(ctx context.Context, f *filter.Query, g grouping, after *cursor, limit int) (list []Group, last groupKey, more bool, err error) {
	q, err := v.groupQuery(ctx, f, g)
	if err != nil {
		return nil, last, false, err
	}
	var rows []groupRow
	var ids []int64
	if err := v.eachGroup(ctx, q, func(row groupRow) {
		rows, ids = append(rows, row), append(ids, row.id)
	}); err != nil {
		return nil, last, false, err
	}
	names, err := v.unitNames(ctx, ids)
	if err != nil {
		return nil, last, false, err
	}
	for i := range rows {
		rows[i].text = names[rows[i].id]
	}
	slices.SortFunc(rows, func(a, b groupRow) int {
		return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text))
	})
	for _, row := range rows {
		if after != nil && cmp.Or(cmp.Compare(after.Numbers[0], row.worst), cmp.Compare(after.Numbers[1], row.count), cmp.Compare(row.text, after.Text)) <= 0 {
			continue
		}
		if len(list) == limit {
			return list, last, true, nil
		}
		list = append(list, row.group(f, g, row.text))
		last = groupKey{row.worst, row.count, row.text}
	}
	return list, last, false, nil
}

// groupQuery selects groups up to GROUP BY.
func (v *view) groupQuery(ctx context.Context, f *filter.Query, g grouping) (*query, error) {
	where, found, err := v.matching(ctx, f)
	if err != nil {
		return nil, err
	}
	title, text, id := cmp.Or(g.title, "''"), g.column, "0"
	if g.by == "application" {
		text, id = "''", g.column
	}
	q := &query{args: where.args}
	return q.add(`SELECT ` + id + `, ` + text + `, ` + title + `, MAX(f.severity), COUNT(*)` + severitySums +
		found.from(v.db.dialect) + where.String() + ` GROUP BY ` + g.column), nil
}

// groupRow is a group as it is read.
type groupRow struct {
	id           int64
	text, title  string
	worst, count int64
	sums         []int64
}

func (v *view) eachGroup(ctx context.Context, q *query, fn func(groupRow)) error {
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row := groupRow{sums: make([]int64, len(sinew.Severities))}
		to := []any{&row.id, &row.text, &row.title, &row.worst, &row.count}
		for i := range row.sums {
			to = append(to, &row.sums[i])
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		fn(row)
	}
	return rows.Err()
}

func (row *groupRow) group(f *filter.Query, g grouping, key string) Group {
	out := Group{
		Key: key, Title: cmp.Or(row.title, key), Count: row.count, Severities: map[sinew.Severity]int64{},
		Worst: sinew.SeverityOfRank(int(row.worst)),
	}
	for i, s := range sinew.Severities {
		if row.sums[i] > 0 {
			out.Severities[s] = row.sums[i]
		}
	}
	term := filter.Term{Field: g.field, Op: "==", Values: []string{key}}
	if key == "" && g.none {
		term.Op, term.Values = "=", []string{"none"}
	}
	out.Filter = f.And(&filter.Query{Terms: []filter.Term{term}}).String()
	return out
}
