package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Issues (docs/decisions/017): a stage notes the issues of every finding that it
// changes. When all its rows are written, and before it flips, the rows of these
// issues are made anew: what is counted from the findings as they are staged, what
// people said from the rows before.

// IssueRow is one version of an issue's row.
type IssueRow struct {
	ID, GenFrom, Unit int64
	Kind              sinew.IssueKind
	Cause             string
	State             sinew.IssueState
	Since, First      int64 // entries by which the state and the issue began
	Reopened          int64
	IssueTally
	Working              bool // somebody said that it is in progress
	Owner                string
	TicketKey, TicketURL string
	Changed              int64 // newest entry in which a person changed it; 0 for none
}

// IssueTally is what is counted of an issue.
type IssueTally struct {
	Findings, Active int64
	Severities       [5]int64 // of the active ones, worst first
	Worst            int64    // rank; -1 for none
	Accepted         int64
	Presences        int64
}

// IssueWork is what a person says of an issue; nil leaves a thing as it is.
type IssueWork struct {
	ID, Unit int64
	Cause    string
	Actor    string
	Owner    *string
	Working  *bool
	Ticket   *sinew.Ticket
	Note     bool // there is one, in the log
}

var (
	issueTable = table{"issue", strings.Fields(`space id gen_from unit_id kind cause state since_seq first_seq reopened
		findings active critical high medium low info worst accepted presences working owner ticket_key ticket_url changed_seq`)}
	issueEventTable = table{"issue_event", strings.Fields(`space issue_id seq n gen_from kind was became actor`)}
)

const issueSelect = `id, gen_from, unit_id, kind, cause, state, since_seq, first_seq, reopened,
	findings, active, critical, high, medium, low, info, worst, accepted, presences, working, owner, ticket_key, ticket_url, changed_seq`

func (r *IssueRow) values(dst []any, space, gen int64) []any {
	s := &r.Severities
	return append(dst, space, r.ID, gen, r.Unit, string(r.Kind), r.Cause, string(r.State), r.Since, r.First, r.Reopened,
		r.Findings, r.Active, s[0], s[1], s[2], s[3], s[4], r.Worst, r.Accepted, r.Presences,
		boolInt(r.Working), r.Owner, r.TicketKey, r.TicketURL, r.Changed)
}

func (r *IssueRow) scan(row scanner) error {
	s := &r.Severities
	var working int64
	err := row.Scan(&r.ID, &r.GenFrom, &r.Unit, &r.Kind, &r.Cause, &r.State, &r.Since, &r.First, &r.Reopened,
		&r.Findings, &r.Active, &s[0], &s[1], &s[2], &s[3], &s[4], &r.Worst, &r.Accepted, &r.Presences,
		&working, &r.Owner, &r.TicketKey, &r.TicketURL, &r.Changed)
	r.Working = working != 0
	return err
}

// issue is the key of the issue that a finding is part of.
func (r *FindingRow) issue() int64 { return identity.IssueKey(r.Unit, r.Cause) }

// noteIssue remembers that a finding of an issue came, went or changed.
func (s *Stage) noteIssue(r *FindingRow) {
	if key := r.issue(); key != 0 {
		s.issues[key] = struct{}{}
	}
}

// noteIssues does so if anything changed that issues are counted by.
func (s *Stage) noteIssues(was, now *FindingRow) {
	if was.Unit != now.Unit || was.Cause != now.Cause || was.State != now.State || was.Severity != now.Severity || max(was.Lead, 0) != max(now.Lead, 0) {
		s.noteIssue(was)
		s.noteIssue(now)
	}
}

// Spread says that presences of a finding come, go or change while its row may not.
func (s *Stage) Spread(r *FindingRow) { s.noteIssue(r) }

// ChangeIssue stages what a person says of an issue.
func (s *Stage) ChangeIssue(w IssueWork) {
	s.issues[w.ID] = struct{}{}
	s.work[w.ID] = w
}

// issueChunk is how many issues are made anew at a time.
const issueChunk = 500

// sealIssues makes the rows of the noted issues anew. entry is the one that the
// stage projects.
func (s *Stage) sealIssues(ctx context.Context, entry int64) error {
	if len(s.issues) == 0 {
		return nil
	}
	if err := s.analyze(ctx); err != nil {
		return err
	}
	keys := make([]int64, 0, len(s.issues))
	for key := range s.issues {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for chunk := range slices.Chunk(keys, issueChunk) {
		if err := s.sealChunk(ctx, chunk, entry); err != nil {
			return fmt.Errorf("count issues: %w", err)
		}
	}
	clear(s.issues)
	clear(s.work)
	return nil
}

func (s *Stage) sealChunk(ctx context.Context, keys []int64, entry int64) error {
	was, err := s.db.issueRows(ctx, s.space, keys)
	if err != nil {
		return err
	}
	now, err := s.db.tallyIssues(ctx, s.space, keys)
	if err != nil {
		return err
	}
	var rows, events buffer
	var ended []int64
	for _, key := range keys {
		row, had := was[key]
		next := row
		if counted, some := now[key]; some {
			next.ID, next.Unit, next.Cause, next.IssueTally = key, counted.Unit, counted.Cause, counted.IssueTally
		} else {
			next.IssueTally = IssueTally{Worst: -1}
		}
		work, said := s.work[key]
		if said && !had {
			next.ID, next.Unit, next.Cause = key, work.Unit, work.Cause
		}
		if !had {
			next.First = entry
		}
		changes := next.work(&work, said, entry)
		changes = append(changes, next.follow(&row, had, &work, entry)...)
		switch {
		case next.Findings == 0 && next.Changed == 0:
			if had {
				ended = append(ended, key)
			}
			continue
		case had && next == row:
			continue
		case had:
			ended = append(ended, key)
		}
		rows.vals = next.values(rows.vals, s.space, s.gen)
		rows.n++
		if len(changes) == 0 {
			continue
		}
		n, err := s.db.issueEvents(ctx, s.space, key, entry)
		if err != nil {
			return err
		}
		for i, c := range changes {
			events.vals = append(events.vals, s.space, key, entry, n+int64(i), s.gen, c.kind, c.was, c.became, c.actor)
			events.n++
		}
	}
	if len(ended)+rows.n == 0 {
		return nil
	}
	return s.tx(ctx, func(t *tx) error {
		if err := s.endRows(ctx, t, "issue", "id", "", ended); err != nil {
			return err
		}
		if err := rows.insert(ctx, t, &issueTable); err != nil {
			return err
		}
		return events.insert(ctx, t, &issueEventTable)
	})
}

// issueChange is a line of an issue's history.
type issueChange struct{ kind, was, became, actor string }

// work puts what a person said into the row.
func (r *IssueRow) work(w *IssueWork, said bool, entry int64) (changes []issueChange) {
	if !said {
		return nil
	}
	r.Changed = entry
	if w.Owner != nil && *w.Owner != r.Owner {
		changes = append(changes, issueChange{"owner", r.Owner, *w.Owner, w.Actor})
		r.Owner = *w.Owner
	}
	if w.Ticket != nil && *w.Ticket != (sinew.Ticket{Key: r.TicketKey, URL: r.TicketURL}) {
		changes = append(changes, issueChange{"ticket", r.TicketKey, w.Ticket.Key, w.Actor})
		r.TicketKey, r.TicketURL = w.Ticket.Key, w.Ticket.URL
	}
	if w.Working != nil {
		r.Working = *w.Working
	}
	if w.Note {
		changes = append(changes, issueChange{"note", "", "", w.Actor})
	}
	return changes
}

// follow derives the state from what was counted and said.
func (r *IssueRow) follow(was *IssueRow, had bool, w *IssueWork, entry int64) []issueChange {
	r.Kind = identity.CauseKind(r.Cause)
	closed := had && was.Active == 0
	if r.Active == 0 || closed && w.Working == nil {
		r.Working = false // who worked on it is done, whatever comes back
	}
	switch {
	case r.Findings == 0:
		r.State = sinew.IssueGone
	case r.Active > 0 && r.Working:
		r.State = sinew.IssueInProgress
	case r.Active > 0:
		r.State = sinew.IssueOpen
	case r.Accepted > 0:
		r.State = sinew.IssueAccepted
	default:
		r.State = sinew.IssueDone
	}
	if had && r.State == was.State {
		return nil
	}
	r.Since = entry
	if !had {
		return nil // its first line is the issue itself
	}
	if r.Active > 0 && (was.State == sinew.IssueDone || was.State == sinew.IssueAccepted) {
		r.Reopened++
	}
	actor := SystemActor
	if was.Active > 0 && r.Active > 0 && w.Working != nil {
		actor = w.Actor
	}
	return []issueChange{{"state", string(was.State), string(r.State), actor}}
}

// issueRows reads issues as they are staged, by id.
func (db *DB) issueRows(ctx context.Context, space int64, keys []int64) (out map[int64]IssueRow, err error) {
	out = make(map[int64]IssueRow, len(keys))
	q := (&query{}).add(`SELECT `+issueSelect+` FROM issue WHERE space = ? AND gen_to IS NULL AND `, space)
	inIDs(db.dialect, q, "id", keys)
	return out, db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r IssueRow
			if err := r.scan(rows); err != nil {
				return err
			}
			out[r.ID] = r
		}
		return rows.Err()
	})
}

// presentIn are the states in which a finding is, or may still be, in a place.
const presentIn = `('observed', 'not_observed', 'scope_lost')`

// tallyIssues counts issues from their findings as they are staged, by id. Those
// that have none are left out.
func (db *DB) tallyIssues(ctx context.Context, space int64, keys []int64) (out map[int64]IssueRow, err error) {
	out = make(map[int64]IssueRow, len(keys))
	var severities strings.Builder
	for _, s := range sinew.Severities {
		severities.WriteString(", SUM(CASE WHEN f.active = 1 AND f.severity = " + strconv.Itoa(s.Rank()) + " THEN 1 ELSE 0 END)")
	}
	q := (&query{}).add(`SELECT f.issue, MIN(f.unit_id), MIN(f.cause`+db.dialect.binary+`), COUNT(*), SUM(f.active)`+severities.String()+`,
		MAX(CASE WHEN f.active = 1 THEN f.severity ELSE -1 END), SUM(CASE WHEN f.state = 'accepted' THEN 1 ELSE 0 END),
		CAST(COALESCE(SUM((SELECT COUNT(*) FROM presence p WHERE f.active = 1 AND p.space = f.space AND p.finding_id = f.id
			AND p.gen_to IS NULL AND p.state IN `+presentIn+`)), 0) AS BIGINT)
		FROM finding f WHERE f.space = ? AND f.gen_to IS NULL AND f.lead <= 0 AND `, space)
	inIDs(db.dialect, q, "f.issue", keys)
	q.add(` GROUP BY f.issue`)
	return out, db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, q.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r IssueRow
			s := &r.Severities
			if err := rows.Scan(&r.ID, &r.Unit, &r.Cause, &r.Findings, &r.Active, &s[0], &s[1], &s[2], &s[3], &s[4],
				&r.Worst, &r.Accepted, &r.Presences); err != nil {
				return err
			}
			out[r.ID] = r
		}
		return rows.Err()
	})
}

// issueEvents gives how many lines of an issue's history an entry has.
func (db *DB) issueEvents(ctx context.Context, space, issue, entry int64) (n int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT COUNT(*) FROM issue_event WHERE space = $1 AND issue_id = $2 AND seq = $3`, space, issue, entry).Scan(&n)
	})
	return n, err
}
