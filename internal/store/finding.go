package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// FindingDetail is everything that is known of one finding.
type FindingDetail struct {
	Finding     sinew.Finding
	Presences   []sinew.Presence
	Events      []sinew.Event      // oldest first; the newest maxEvents of them
	Observation *sinew.Observation // as the newest report that differed says; nil when the report was deleted
	Evidence    *sinew.Evidence    // the redacted report that it came from; nil when none was kept
	Decision    *StandingDecision  // nil when nobody decided
	Decisions   []StandingDecision // every one, oldest first
	MergedFrom  string             // the id that was asked for, when it is now part of this finding
	Merged      []string           // earlier ids that are now part of this finding
	Cluster     *sinew.Cluster     // with what other streams tell of the same problem; nil when none does
}

// StandingDecision is what was decided about a finding.
type StandingDecision struct {
	Verdict sinew.Verdict // empty where an earlier one fell
	By      string        // pseudonym, "tool" or "system"
	Reason  string
	Owner   string
	At      time.Time // zero for the tool's word
	Until   time.Time // zero for no end
	Seq     int64     // entry; 0 for the tool's word

	ID       string // public id of a person's decision
	ByName   string // name or login of the person, while it is known
	UndoneBy string // public id of the newest decision that took it back for this finding
}

const (
	maxEvents    = 500
	maxPresences = 1000
)

// Finding tells everything of the finding with a public id. One in a unit that r
// may not see is not found, like one that isn't there.
func (db *DB) Finding(ctx context.Context, r sinew.Reader, id string) (*FindingDetail, error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no finding %.40s", id)
	var d *FindingDetail
	err := db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDFinding, id)
		if err != nil {
			return missing
		}
		row, merged, err := v.findFinding(ctx, local)
		if err != nil || row == nil {
			return errors.Join(err, notNil(row, missing))
		}
		d = &FindingDetail{}
		if merged {
			d.MergedFrom = id
		}
		return v.fill(ctx, d, row)
	})
	if errors.Is(err, errNothing) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("show finding: %w", err)
	}
	return d, nil
}

func notNil(row *FindingRow, missing error) error {
	if row == nil {
		return missing
	}
	return nil
}

// findFinding finds a row that the reader may see, by its birth or one that was
// merged into it.
func (v *view) findFinding(ctx context.Context, id int64) (row *FindingRow, merged bool, err error) {
	for range 2 {
		rows, err := v.findingRows(ctx, []int64{id})
		if err != nil {
			return nil, false, err
		}
		if len(rows) > 0 {
			return &rows[0], merged, nil
		}
		q := (&query{}).add(`SELECT f.new_id FROM redirect f WHERE f.space = ? AND f.old_id = ?`, v.space.ID, id)
		v.current(q, "f")
		to, err := v.column(ctx, q)
		if err != nil || len(to) == 0 {
			return nil, false, err
		}
		id, merged = to[0], true
	}
	return nil, false, nil
}

func (v *view) fill(ctx context.Context, d *FindingDetail, row *FindingRow) error {
	presences, err := v.presenceRows(ctx, row.ID)
	if err != nil {
		return fmt.Errorf("presences: %w", err)
	}
	units, families, places := map[int64]bool{row.Unit: true}, map[int64]bool{row.Family: true}, map[int64]bool{row.Place: true}
	for i := range presences {
		places[presences[i].Place] = true
	}
	near, err := v.nearby(ctx, units, families, places)
	if err != nil {
		return err
	}
	d.Finding = v.finding(row, near)
	if d.Cluster, err = v.cluster(ctx, row); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	for i := range presences {
		d.Presences = append(d.Presences, v.presence(&presences[i], row, near))
	}
	slices.SortStableFunc(d.Presences, func(a, b sinew.Presence) int {
		return placeRank(a.Place) - placeRank(b.Place)
	})
	if err := v.decisions(ctx, d, row); err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	if err := v.observed(ctx, d, row); err != nil {
		return fmt.Errorf("observation: %w", err)
	}
	if err := v.events(ctx, d, row, near); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// placeRank brings the places that count to the front.
func placeRank(p sinew.Place) int {
	return slices.Index([]sinew.PlaceKind{sinew.PlaceDefault, sinew.PlaceRelease, sinew.PlaceDeployed, sinew.PlaceBranch, sinew.PlaceChange}, p.Kind)
}

func (v *view) presenceRows(ctx context.Context, finding int64) ([]PresenceRow, error) {
	q := (&query{}).add(`SELECT `+presenceSelect+` FROM presence f WHERE f.space = ? AND f.finding_id = ?`, v.space.ID, finding)
	v.current(q, "f")
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.place_id LIMIT ?`, maxPresences).String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []PresenceRow
	for rows.Next() {
		var p PresenceRow
		if err := rows.Scan(p.targets()...); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

func (v *view) place(p PlaceRow, near nearby) sinew.Place {
	family := near.families[p.Family]
	place := sinew.Place{
		Kind: p.Kind, Stream: family.Stream(), Ref: p.Ref, Environment: p.Environment, Version: p.Version, Ended: p.Ended,
	}
	if p.Kind != sinew.PlaceDeployed {
		place.Stream.Ref = p.Ref
	}
	return place
}

func (v *view) presence(p *PresenceRow, row *FindingRow, near nearby) sinew.Presence {
	place := near.places[p.Place]
	out := sinew.Presence{
		Place: v.place(place, near), State: p.State, Basis: p.Basis,
		FirstSeen: fromMicros(p.FirstSeen), LastSeen: fromMicros(p.LastSeen), Since: fromMicros(p.Since),
		Matched: identity.Pass(p.Pass).String(), //nolint:gosec // written from a Pass
		File:    row.File, Line: int(p.Line),
	}
	seen := p.ObsSeq
	if p.State == sinew.PresenceObserved {
		out.LastSeen = fromMicros(max(p.LastSeen, place.SeenAt))
		seen = max(seen, place.Head)
	}
	out.Snapshot = v.snapshotID(seen)
	return out
}

// snapshotID is the public id of the snapshot of an entry.
func (v *view) snapshotID(seq int64) string { return SnapshotID(v.uuid, seq) }

// SnapshotID is the public id of the snapshot that a log entry is.
func SnapshotID(workspaceUUID string, seq int64) string {
	local, err := sinew.LocalID(seq, 0)
	if err != nil || seq == 0 {
		return ""
	}
	return sinew.PublicID(workspaceUUID, sinew.IDSnapshot, local)
}

// decisions fills in the standing decision, the earlier ones and the births that
// they were made on.
func (v *view) decisions(ctx context.Context, d *FindingDetail, row *FindingRow) error {
	q := (&query{}).add(`SELECT f.old_id FROM redirect f WHERE f.space = ? AND f.new_id = ?`, v.space.ID, row.ID)
	v.current(q, "f")
	births, err := v.column(ctx, q.add(` ORDER BY f.old_id`))
	if err != nil {
		return err
	}
	for _, id := range births {
		d.Merged = append(d.Merged, v.public(sinew.IDFinding, id))
	}
	q = (&query{}).add(`SELECT f.seq, f.verdict, f.actor, f.until, f.owner, f.at, p.payload, COALESCE(d.seq, 0),
		COALESCE((SELECT MAX(u.seq) FROM decision u JOIN verdict x ON x.space = u.space AND x.seq = u.seq AND x.birth_id = f.birth_id
			WHERE u.space = f.space AND u.undoes = f.seq), 0), COALESCE(w.name, ''), COALESCE(w.login, '')
		FROM verdict f
		LEFT JOIN log_payload p ON p.workspace_id = ? AND p.seq = f.words
		LEFT JOIN decision d ON d.space = f.space AND d.seq = f.seq
		LEFT JOIN principal w ON w.workspace_id = ? AND w.pseudonym = f.actor
		WHERE f.space = ? AND f.gen_from <= ? AND `, v.r.Workspace, v.r.Workspace, v.space.ID, v.space.LiveGen)
	inIDs(v.db.dialect, q, "f.birth_id", append(births, row.ID))
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.seq, f.birth_id`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s StandingDecision
		var until, at, decision, undone int64
		var payload []byte
		var login string
		if err := rows.Scan(&s.Seq, &s.Verdict, &s.By, &until, &s.Owner, &at, &payload, &decision, &undone, &s.ByName, &login); err != nil {
			return err
		}
		s.ID, s.UndoneBy, s.ByName = v.decisionID(decision), v.decisionID(undone), cmp.Or(s.ByName, login)
		var said sinew.Decision // other kinds of entry have no reason
		if s.Verdict != "" && json.Unmarshal(payload, &said) == nil {
			s.Reason = said.Reason
		}
		s.Until, s.At = fromMicros(until), fromMicros(at)
		d.Decisions = append(d.Decisions, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if row.Verdict == "" {
		return nil
	}
	d.Decision = &StandingDecision{Verdict: row.Verdict, By: row.VerdictBy, Seq: row.VerdictSeq, Owner: row.Owner, Until: fromMicros(row.Until)}
	for _, s := range d.Decisions {
		if s.Seq == row.VerdictSeq && row.VerdictSeq != 0 {
			*d.Decision = s
		}
	}
	return nil
}

// observed fills in what the report said, from the snapshot's body, and where
// the report itself is.
func (v *view) observed(ctx context.Context, d *FindingDetail, row *FindingRow) error {
	var payload []byte
	err := v.QueryRowContext(ctx, `SELECT payload FROM log_payload WHERE workspace_id = $1 AND seq = $2`, v.r.Workspace, row.ObsSeq).Scan(&payload)
	if err = notFound(err, "deleted"); err != nil {
		return allowMissing(err)
	}
	var s sinew.Snapshot
	if err := json.Unmarshal(payload, &s); err != nil {
		return fmt.Errorf("entry %d: %w", row.ObsSeq, err)
	}
	if s.Body != "" {
		ref := BlobRef{Kind: BlobBody}
		if ref.Digest, err = ParseDigest(s.Body); err != nil {
			return err
		}
		line, err := blobLine(ctx, v.tx, v.r.Workspace, ref, row.ObsN)
		if err := allowMissing(err); err != nil {
			return err
		}
		var body sinew.SnapshotBody
		if line != nil {
			if err := json.Unmarshal(line, &body); err != nil {
				return fmt.Errorf("line %d of %s: %w", row.ObsN, ref, err)
			}
			d.Observation = body.Observation
		}
	}
	d.Evidence, err = v.evidence(ctx, &s, row.ObsSeq)
	return err
}

func (v *view) evidence(ctx context.Context, s *sinew.Snapshot, seq int64) (*sinew.Evidence, error) {
	if s.Evidence == "" {
		return nil, nil
	}
	digest, err := ParseDigest(s.Evidence)
	if err != nil {
		return nil, err
	}
	info, err := blobInfo(ctx, v.tx, v.r.Workspace, BlobRef{BlobEvidence, digest})
	if err != nil {
		return nil, allowMissing(err)
	}
	return &sinew.Evidence{
		Snapshot: v.snapshotID(seq), Report: s.ReportName, Digest: hex.EncodeToString(digest[:]), Bytes: info.Size, Deleted: info.Deleted,
	}, nil
}

// allowMissing lets the error that something is not there pass as none.
func allowMissing(err error) error {
	if err != nil && sinew.CodeOf(err) == sinew.CodeNotFound {
		return nil
	}
	return err
}

// events fills in the history. Its first line is the finding's own row.
func (v *view) events(ctx context.Context, d *FindingDetail, row *FindingRow, near nearby) error {
	rows, err := v.QueryContext(ctx, `
		SELECT e.seq, e.at, e.known_at, e.kind, e.place_id, e.was, e.became, e.cause, e.actor, l.kind, COALESCE(w.name, ''), COALESCE(w.login, '')
		FROM event e LEFT JOIN log l ON l.workspace_id = $1 AND l.seq = e.seq
		LEFT JOIN principal w ON w.workspace_id = $1 AND w.pseudonym = e.actor
		WHERE e.space = $2 AND e.finding_id = $3 AND e.gen_from <= $4 ORDER BY e.seq DESC, e.n DESC LIMIT $5`,
		v.r.Workspace, v.space.ID, row.ID, v.space.LiveGen, maxEvents)
	if err != nil {
		return err
	}
	defer rows.Close()
	lost := map[int64]bool{} // places of presences that are no more
	type step struct {
		sinew.Event
		place int64
	}
	var steps []step
	for rows.Next() {
		var s step
		var at, known int64
		var entry *string
		var login string
		if err := rows.Scan(&s.Seq, &at, &known, &s.Kind, &s.place, &s.From, &s.To, &s.Cause, &s.Actor, &entry, &s.ActorName, &login); err != nil {
			return err
		}
		s.ActorName = cmp.Or(s.ActorName, login)
		s.At, s.KnownAt = fromMicros(at), fromMicros(known)
		if entry != nil && *entry == string(sinew.EntrySnapshot) {
			s.Snapshot = v.snapshotID(s.Seq)
		}
		if _, ok := near.places[s.place]; !ok && s.place != 0 {
			lost[s.place] = true
		}
		steps = append(steps, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(lost) > 0 {
		more, err := v.nearby(ctx, map[int64]bool{}, map[int64]bool{}, lost)
		if err != nil {
			return err
		}
		maps.Copy(near.places, more.places)
	}
	if len(steps) < maxEvents {
		opened, err := v.opened(ctx, row)
		if err != nil {
			return err
		}
		d.Events = append(d.Events, opened)
	}
	for _, s := range slices.Backward(steps) {
		if s.place != 0 {
			s.Place = placeText(near.places[s.place])
		}
		d.Events = append(d.Events, s.Event)
	}
	return nil
}

// opened is the first line of a history.
func (v *view) opened(ctx context.Context, row *FindingRow) (sinew.Event, error) {
	seq, _ := sinew.SplitLocalID(row.ID)
	e := sinew.Event{
		At: fromMicros(row.FirstSeen), Seq: seq, Kind: "opened", To: string(sinew.StateOpen),
		Snapshot: v.snapshotID(seq), Cause: "first seen in snapshot " + v.snapshotID(seq),
	}
	var at int64
	err := v.QueryRowContext(ctx, `SELECT at, actor FROM log WHERE workspace_id = $1 AND seq = $2`, v.r.Workspace, seq).Scan(&at, &e.Actor)
	e.KnownAt = fromMicros(at)
	return e, allowMissing(notFound(err, "no entry"))
}

// placeText names a place in a line of history.
func placeText(p PlaceRow) string {
	if p.Kind == sinew.PlaceDeployed {
		return strings.TrimSpace(p.Environment + " " + p.Service)
	}
	if p.Ref == "" {
		return string(p.Kind)
	}
	return p.Ref
}
