package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// IssueFilter narrows a list of issues; the zero one takes those that there is
// something to do about.
type IssueFilter struct {
	Applications []string // names, or none
	Kinds        []sinew.IssueKind
	States       []sinew.IssueState // open and in progress if empty
	Owners       []string           // names, or none
	Reopened     bool               // only those of which findings came back
	Text         string             // words of the cause
}

// IssueSorts lists the names by which issues can be sorted, the usual one first:
// by how many active findings mending it closes, by in how many places, and by the
// worst of them.
var IssueSorts = []string{"-findings", "findings", "-presences", "presences", "-severity", "severity"}

func issueOrder(sort string) (order, error) {
	name, desc := strings.CutPrefix(cmp.Or(sort, IssueSorts[0]), "-")
	numbers := map[string][]string{
		"findings":  {"f.active", "f.presences"},
		"presences": {"f.presences", "f.active"},
		"severity":  {"f.worst", "f.active"},
	}[name]
	if numbers == nil {
		return order{}, sinew.Errorf(sinew.CodeInvalid, "issues cannot be sorted by %q", sort).Hint("use %s", strings.Join(IssueSorts, ", "))
	}
	return order{numbers: numbers, desc: desc, indexed: true}, nil
}

// Issues lists the issues that r may see and that a filter takes, a page at a time.
// next is the cursor of the following page, "" at the end. The usual order is found
// along an index, the others sort the rows of all issues; findings are read of those
// on the page, for what mends them, if they have no more than listedMembers active
// ones.
func (db *DB) Issues(ctx context.Context, r sinew.Reader, f IssueFilter, p Page) (list []sinew.Issue, next string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	o, err := issueOrder(p.Sort)
	if err != nil {
		return nil, "", err
	}
	if err := f.validate(); err != nil {
		return nil, "", err
	}
	said, err := json.Marshal(f)
	if err != nil {
		return nil, "", fmt.Errorf("list issues: %w", err)
	}
	of := cursorOf("issues", string(said), p.Sort)
	after, err := parseCursor(p.After, of, 2)
	if err != nil {
		return nil, "", err
	}
	err = db.view(ctx, r, func(v *view) error {
		rows, err := v.issuePage(ctx, f, o, after, limit+1)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			next = v.issueCursor(of, p.Sort, &rows[limit-1])
		}
		list, err = v.issues(ctx, rows, listedMembers)
		return err
	})
	if err := allowNothing(err); err != nil {
		return nil, "", fmt.Errorf("list issues: %w", err)
	}
	return list, next, nil
}

func (f *IssueFilter) validate() error {
	for _, k := range f.Kinds {
		if !slices.Contains(sinew.IssueKinds, k) {
			return sinew.Errorf(sinew.CodeInvalid, "there is no kind of issue %.40q", k).Hint("use %s", joinWords(sinew.IssueKinds))
		}
	}
	for _, s := range f.States {
		if !slices.Contains(sinew.IssueStates, s) {
			return sinew.Errorf(sinew.CodeInvalid, "there is no state of an issue %.40q", s).Hint("use %s", joinWords(sinew.IssueStates))
		}
	}
	return nil
}

func joinWords[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

func (v *view) issueCursor(of, sort string, last *IssueRow) string {
	numbers := []int64{last.Active, last.Presences}
	switch strings.TrimPrefix(sort, "-") {
	case "presences":
		numbers = []int64{last.Presences, last.Active}
	case "severity":
		numbers = []int64{last.Worst, last.Active}
	}
	return cursor{Of: of, Numbers: numbers, ID: v.public(sinew.IDIssue, last.ID)}.String()
}

func (v *view) issuePage(ctx context.Context, f IssueFilter, o order, after *cursor, limit int) ([]IssueRow, error) {
	q := (&query{}).add(`SELECT `+issueSelect+` FROM issue f WHERE f.space = ?`, v.space.ID)
	v.current(q, "f")
	v.visible(q, "+f.unit_id")
	v.narrowIssues(q, f)
	if after != nil {
		id, err := sinew.ParsePublicID(v.uuid, sinew.IDIssue, after.ID)
		if err != nil {
			return nil, sinew.Errorf(sinew.CodeInvalid, "the cursor is not one of this list").Hint("begin again without a cursor")
		}
		key := &findingKey{id: id}
		copy(key.numbers[:], after.Numbers)
		o.after(q, v.db.dialect, key, "f.id")
	}
	o.by(q, v.db.dialect, "f.id")
	q.add(` LIMIT ?`, limit)
	return v.issueRows(ctx, q)
}

func (v *view) narrowIssues(q *query, f IssueFilter) {
	states := f.States
	if len(states) == 0 {
		states = []sinew.IssueState{sinew.IssueOpen, sinew.IssueInProgress}
	}
	if !slices.ContainsFunc(states, func(s sinew.IssueState) bool { return s != sinew.IssueOpen && s != sinew.IssueInProgress }) {
		q.add(` AND f.active > 0`) // where the index has them
	}
	in(q.add(` AND `), "f.state", words(states))
	if len(f.Kinds) > 0 {
		in(q.add(` AND `), "f.kind", words(f.Kinds))
	}
	if len(f.Applications) > 0 {
		q.add(` AND (`)
		either(q, f.Applications, func(name string) {
			if name == "none" {
				q.add(`f.unit_id = ?`, sinew.UnassignedUnit)
				return
			}
			q.add(`f.unit_id IN (SELECT u.id FROM unit u WHERE u.space = ? AND `, v.space.ID)
			v.like(q, "u.name", escapeLike(name))
			q.add(`)`)
		})
		q.add(`)`)
	}
	if len(f.Owners) > 0 {
		q.add(` AND (`)
		either(q, f.Owners, func(name string) {
			if name == "none" {
				name = ""
			}
			v.like(q, "f.owner", escapeLike(name))
		})
		q.add(`)`)
	}
	if f.Reopened {
		q.add(` AND f.reopened > 0`)
	}
	for word := range strings.FieldsSeq(f.Text) {
		v.like(q.add(` AND `), "f.cause", "%"+escapeLike(word)+"%")
	}
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

func (v *view) issueRows(ctx context.Context, q *query) (out []IssueRow, err error) {
	rows, err := v.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r IssueRow
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// issues makes what readers see of rows. What is derived from findings is left out
// of those with more than most active ones.
func (v *view) issues(ctx context.Context, rows []IssueRow, most int64) ([]sinew.Issue, error) {
	units, seqs := make([]int64, len(rows)), make([]int64, len(rows))
	for i := range rows {
		units[i], seqs[i] = rows[i].Unit, rows[i].Since
	}
	names, err := v.unitNames(ctx, units)
	if err != nil {
		return nil, err
	}
	times, err := v.entryTimes(ctx, seqs)
	if err != nil {
		return nil, err
	}
	out := make([]sinew.Issue, len(rows))
	for i := range rows {
		r := &rows[i]
		out[i] = sinew.Issue{
			ID: v.public(sinew.IDIssue, r.ID), Kind: r.Kind, Cause: r.Cause, Application: names[r.Unit], State: r.State,
			Since: fromMicros(times[r.Since]), Reopened: int(r.Reopened), Owner: r.Owner,
			Findings: r.Findings, Active: r.Active, Accepted: r.Accepted, Presences: r.Presences, Severities: map[sinew.Severity]int64{},
			Filter: issueFilter(names[r.Unit], r.Cause),
		}
		for k, s := range sinew.Severities {
			if r.Severities[k] > 0 {
				out[i].Severities[s] = r.Severities[k]
			}
		}
		if r.Worst >= 0 {
			out[i].Worst = sinew.SeverityOfRank(int(r.Worst))
		}
		if r.TicketKey != "" {
			out[i].Ticket = &sinew.Ticket{Key: r.TicketKey, URL: r.TicketURL}
		}
		if err := v.advise(ctx, &out[i], r, most); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// issueFilter finds exactly the findings of an issue.
func issueFilter(application, cause string) string {
	app := filter.Term{Field: "app", Op: "==", Values: []string{application}}
	if application == "" {
		app.Op, app.Values = "=", []string{"none"}
	}
	q := &filter.Query{Terms: []filter.Term{app, {Field: "cause", Op: "==", Values: []string{cause}}}}
	return q.String()
}

// entryTimes gives when entries were logged.
func (v *view) entryTimes(ctx context.Context, seqs []int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	slices.Sort(seqs)
	for chunk := range slices.Chunk(slices.Compact(seqs), idChunk) {
		q := (&query{}).add(`SELECT seq, at FROM log WHERE workspace_id = ? AND `, v.r.Workspace)
		inIDs(v.db.dialect, q, "seq", chunk)
		rows, err := v.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var seq, at int64
			if err := rows.Scan(&seq, &at); err != nil {
				return nil, err
			}
			out[seq] = at
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// How many findings of an issue are read to say what mends it: in a list, and of
// one that is looked at.
const (
	listedMembers = 2_000
	shownMembers  = 100_000
)

// advise says what mends an issue.
func (v *view) advise(ctx context.Context, out *sinew.Issue, r *IssueRow, most int64) error {
	if r.Active == 0 || r.Active > most {
		return nil
	}
	switch r.Kind {
	case sinew.IssueUpgrade:
		return v.upgrade(ctx, out, r)
	case sinew.IssueBaseImage:
		return v.baseImage(ctx, out, r)
	case sinew.IssueCode, sinew.IssueConfiguration, sinew.IssueEndpoint, sinew.IssueHost, sinew.IssueOther:
		return v.issueTitle(ctx, out, r)
	case sinew.IssueSecret, sinew.IssueModule, sinew.IssueTemplate:
	}
	return nil
}

// member is what active findings of an issue have in common.
type member struct {
	version string
	fixed   []string
	base    string
	n       int64
}

// members reads what reports say of how the active findings of an issue are
// repaired. What is part of another finding has its say as well: not every tool
// tells the versions.
func (v *view) members(ctx context.Context, r *IssueRow) (out []member, err error) {
	of := func(q *query) *query {
		// The index is of lead <= 0: that has to be said as it is there.
		q.add(` WHERE f.space = ? AND f.issue = ? AND f.active = 1 AND f.lead <= 0`, v.space.ID, r.ID)
		v.current(q, "f")
		v.visible(q, "+f.unit_id")
		return q
	}
	binary := v.db.dialect.binary
	q := of((&query{}).add(`SELECT f.version, f.spot, COUNT(*) FROM finding f`)).add(` AND f.lead = 0
		GROUP BY f.version, f.spot ORDER BY f.version` + binary + `, f.spot` + binary)
	err = v.eachRow(ctx, q, func(row scanner) error {
		var m member
		var spot string
		if err := row.Scan(&m.version, &spot, &m.n); err != nil {
			return err
		}
		m.fixed, m.base = identity.SpotRepairs(spot)
		out = append(out, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	q = (&query{}).add(`SELECT f.id, f.version, f.spot, COALESCE(d.spot, '') FROM finding f
		LEFT JOIN finding d ON d.space = f.space AND d.lead = f.id AND d.lead > 0`)
	v.current(q, "d")
	v.visible(q, "+d.unit_id")
	q = of(q).add(` AND f.lead < 0 ORDER BY +f.id, +d.id`) // not along the index on ids
	last := int64(0)
	return out, v.eachRow(ctx, q, func(row scanner) error {
		var id int64
		var m member
		var spots [2]string
		if err := row.Scan(&id, &m.version, &spots[0], &spots[1]); err != nil {
			return err
		}
		if id != last {
			m.fixed, m.base = identity.SpotRepairs(spots[0])
			m.n, last = 1, id
			out = append(out, m)
		}
		told, base := identity.SpotRepairs(spots[1])
		into := &out[len(out)-1]
		into.base = cmp.Or(into.base, base)
		for _, f := range told {
			if !slices.Contains(into.fixed, f) {
				into.fixed = append(into.fixed, f)
			}
		}
		return nil
	})
}

func (v *view) eachRow(ctx context.Context, q *query, scan func(scanner) error) error {
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
	return rows.Err()
}

func (v *view) upgrade(ctx context.Context, out *sinew.Issue, r *IssueRow) error {
	members, err := v.members(ctx, r)
	if err != nil {
		return err
	}
	name, ecosystem := identity.CausePackage(r.Cause)
	repairs := make([]identity.Repair, len(members))
	for i, m := range members {
		repairs[i] = identity.Repair{Installed: m.version, Fixed: m.fixed, N: m.n}
	}
	up := identity.LeastUpgrade(ecosystem, repairs)
	up.Package = name
	if by := identity.UpgradesByVersion(ecosystem, repairs); len(by) > 1 {
		up.Installed = by
	}
	out.Upgrade = &up
	return nil
}

// maxBases is how many names of a base image are told.
const maxBases = 5

func (v *view) baseImage(ctx context.Context, out *sinew.Issue, r *IssueRow) error {
	members, err := v.members(ctx, r)
	if err != nil {
		return err
	}
	base := &sinew.BaseImage{Image: identity.CauseImage(r.Cause), Names: []string{}}
	for _, m := range members {
		base.Of += m.n
		if len(m.fixed) > 0 {
			base.Fixable += m.n
		}
		if m.base != "" && !slices.Contains(base.Names, m.base) {
			base.Names = append(base.Names, m.base)
		}
	}
	slices.Sort(base.Names)
	if len(base.Names) > maxBases {
		base.Names, base.More = base.Names[:maxBases], true
	}
	out.BaseImage = base
	return nil
}

// issueTitle fills in the title of the first of its findings.
func (v *view) issueTitle(ctx context.Context, out *sinew.Issue, r *IssueRow) error {
	q := (&query{}).add(`SELECT f.title FROM finding f WHERE f.space = ? AND f.issue = ? AND f.lead <= 0`, v.space.ID, r.ID)
	v.current(q, "f")
	v.visible(q, "+f.unit_id")
	err := notFound(v.QueryRowContext(ctx, q.add(` ORDER BY f.id LIMIT 1`).String(), q.args...).Scan(&out.Title), "no finding")
	return allowMissing(err)
}

// IssueDetail is everything that is known of one issue.
type IssueDetail struct {
	sinew.Issue
	Unit   int64
	Events []sinew.IssueEvent // oldest first; the newest maxEvents of them
}

// IssueNamed gives the row of the issue with a public id. One in a unit that r may
// not see is not found, like one that isn't there.
func (db *DB) IssueNamed(ctx context.Context, r sinew.Reader, id string) (row *IssueRow, err error) {
	err = db.viewIssue(ctx, r, id, func(_ *view, found *IssueRow) error {
		row = found
		return nil
	})
	return row, err
}

// Issue tells everything of the issue with a public id, like [DB.IssueNamed].
func (db *DB) Issue(ctx context.Context, r sinew.Reader, id string) (*IssueDetail, error) {
	d := &IssueDetail{}
	err := db.viewIssue(ctx, r, id, func(v *view, row *IssueRow) error {
		list, err := v.issues(ctx, []IssueRow{*row}, shownMembers)
		if err != nil {
			return err
		}
		d.Issue, d.Unit = list[0], row.Unit
		d.Events, err = v.issueEvents(ctx, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (db *DB) viewIssue(ctx context.Context, r sinew.Reader, id string, fn func(*view, *IssueRow) error) error {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no issue %.40s", id)
	err := db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDIssue, id)
		if err != nil {
			return missing
		}
		q := (&query{}).add(`SELECT `+issueSelect+` FROM issue f WHERE f.space = ? AND f.id = ?`, v.space.ID, local)
		v.current(q, "f")
		v.visible(q, "+f.unit_id")
		rows, err := v.issueRows(ctx, q)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return missing
		}
		return fn(v, &rows[0])
	})
	if errors.Is(err, errNothing) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("show issue: %w", err)
	}
	return nil
}

// issueEvents gives the history of an issue. Its first line is the issue's own row.
func (v *view) issueEvents(ctx context.Context, row *IssueRow) ([]sinew.IssueEvent, error) {
	rows, err := v.QueryContext(ctx, `SELECT e.seq, e.kind, e.was, e.became, e.actor, COALESCE(l.at, 0), p.payload, COALESCE(w.name, ''), COALESCE(w.login, '')
		FROM issue_event e LEFT JOIN log l ON l.workspace_id = $1 AND l.seq = e.seq
		LEFT JOIN log_payload p ON p.workspace_id = $1 AND p.seq = e.seq AND e.kind = 'note'
		LEFT JOIN principal w ON w.workspace_id = $1 AND w.pseudonym = e.actor
		WHERE e.space = $2 AND e.issue_id = $3 AND e.gen_from <= $4 ORDER BY e.seq DESC, e.n DESC LIMIT $5`,
		v.r.Workspace, v.space.ID, row.ID, v.space.LiveGen, maxEvents)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []sinew.IssueEvent
	for rows.Next() {
		var e sinew.IssueEvent
		var at int64
		var payload []byte
		var login string
		if err := rows.Scan(&e.Seq, &e.Kind, &e.From, &e.To, &e.Actor, &at, &payload, &e.ActorName, &login); err != nil {
			return nil, err
		}
		e.At, e.ActorName = fromMicros(at), cmp.Or(e.ActorName, login)
		var said sinew.IssueChange // the payload may have been deleted
		if e.Kind == "note" && json.Unmarshal(payload, &said) == nil {
			e.Note = said.Note
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(events) < maxEvents {
		times, err := v.entryTimes(ctx, []int64{row.First})
		if err != nil {
			return nil, err
		}
		events = append(events, sinew.IssueEvent{
			At: fromMicros(times[row.First]), Seq: row.First, Kind: "opened", To: string(sinew.IssueOpen), Actor: SystemActor,
		})
	}
	slices.Reverse(events)
	return events, nil
}
