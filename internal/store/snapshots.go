package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// StreamInfo is a stream as it stands: one row for each ref of each family.
type StreamInfo struct {
	ID       string          `json:"id"`
	Stream   sinew.Stream    `json:"stream"`
	Kind     sinew.PlaceKind `json:"kind"`
	Version  string          `json:"version,omitempty"` // commit or digest of the newest snapshot
	Seen     time.Time       `json:"seen,omitzero"`     // effective time of the newest snapshot
	Snapshot string          `json:"snapshot,omitempty"`
	Ended    string          `json:"ended,omitempty"`
	Unit     string          `json:"unit"`

	Application string `json:"application,omitempty"` // the unit's name

	// Of the newest snapshot that was folded in.
	Coverage     sinew.CoverageStatus `json:"coverage,omitempty"`
	Basis        sinew.Basis          `json:"basis,omitempty"`
	Observations int64                `json:"observations"`
	Tests        []identity.Test      `json:"tests,omitempty"` // that the stream performs

	family   int64
	artifact bool
}

// Streams lists the streams that r may see, oldest first. A stream belongs to
// the unit of its target as a whole.
func (db *DB) Streams(ctx context.Context, r sinew.Reader, p Page) (list []StreamInfo, next string, err error) {
	list, next, err = listing[StreamInfo]{
		name: "streams", sort: "recorded", kind: sinew.IDStream, unit: "m.unit_id", id: "f.id",
		from: `SELECT f.id, m.source, m.tool, m.target, f.ref, m.label, f.kind, f.version, f.seen_at, f.head_seq, f.ended, m.unit_id,
			COALESCE(u.name, ''), COALESCE(n.coverage, ''), COALESCE(n.basis, ''), COALESCE(n.observations, 0), COALESCE(n.artifact, 0), m.id
			FROM place f JOIN family m ON m.space = f.space AND m.id = f.family_id
			LEFT JOIN unit u ON u.space = f.space AND u.id = m.unit_id LEFT JOIN snapshot n ON n.space = f.space AND n.seq = f.head_seq
			WHERE f.space = ? AND f.kind <> 'deployed'`,
		args: func(v *view) []any { return []any{v.space.ID} },
		scan: func(v *view, row scanner) (s StreamInfo, _ string, id int64, err error) {
			var seen, head, unit int64
			err = row.Scan(&id, &s.Stream.Source, &s.Stream.Tool, &s.Stream.Target, &s.Stream.Ref, &s.Stream.Label,
				&s.Kind, &s.Version, &seen, &head, &s.Ended, &unit, &s.Application, &s.Coverage, &s.Basis, &s.Observations, &s.artifact, &s.family)
			s.ID, s.Unit = v.public(sinew.IDStream, id), v.public(sinew.IDUnit, unit)
			s.Seen, s.Snapshot = fromMicros(seen), v.snapshotID(head)
			return s, "", id, err
		},
	}.page(ctx, db, r, p)
	if err != nil {
		return nil, "", err
	}
	return list, next, db.streamTests(ctx, r, list)
}

// streamTests says of each stream of a page which tests it performs.
func (db *DB) streamTests(ctx context.Context, r sinew.Reader, list []StreamInfo) error {
	if len(list) == 0 {
		return nil
	}
	return allowNothing(db.view(ctx, r, func(v *view) error {
		families := map[int64][]identity.Found{}
		for i := range list {
			s := &list[i]
			found, ok := families[s.family]
			if !ok {
				var err error
				if found, err = v.found(ctx, s.family); err != nil {
					return fmt.Errorf("tests of a stream: %w", err)
				}
				families[s.family] = found
			}
			s.Tests = identity.TestsOf(s.Stream.Tool, s.artifact, found)
		}
		return nil
	}))
}

// SnapshotInfo is an accepted snapshot and what became of it.
type SnapshotInfo struct {
	ID       string          `json:"id"`
	Seq      int64           `json:"seq"`
	State    SnapshotState   `json:"state"`
	Received time.Time       `json:"received"`
	At       time.Time       `json:"at,omitzero"` // effective time; zero while pending
	Unit     string          `json:"unit,omitempty"`
	Name     string          `json:"application,omitempty"` // the unit's name
	Snapshot *sinew.Snapshot `json:"snapshot,omitempty"`    // nil when its payload was deleted
	Result   json.RawMessage `json:"result,omitempty"`      // what changed, once projected
	Evidence *sinew.Evidence `json:"evidence,omitempty"`    // by [DB.Snapshot] only
}

// SnapshotState says how far a snapshot has come.
type SnapshotState string

// The snapshot states.
const (
	SnapshotPending   SnapshotState = "pending"   // accepted and durable
	SnapshotProjected SnapshotState = "projected" // its findings are to be seen
)

// SnapshotFilter narrows a list of snapshots; the zero one takes all.
type SnapshotFilter struct {
	Target string
	Stream string // public id
}

// Snapshots lists the projected snapshots that r may see, newest first.
func (db *DB) Snapshots(ctx context.Context, r sinew.Reader, f SnapshotFilter, p Page) (list []SnapshotInfo, next string, err error) {
	return listing[SnapshotInfo]{
		name: "snapshots", filter: f.Target + "\x00" + f.Stream, sort: "-recorded", kind: sinew.IDSnapshot, unit: "f.unit_id", id: "f.seq", desc: true,
		from: snapshotList, args: func(v *view) []any { return []any{v.r.Workspace, v.space.ID} },
		more: func(v *view, q *query) {
			if f.Target != "" {
				q.add(` AND f.family_id IN (SELECT m.id FROM family m WHERE m.space = ? AND m.target = ?)`, v.space.ID, f.Target)
			}
			if f.Stream != "" {
				place, err := sinew.ParsePublicID(v.uuid, sinew.IDStream, f.Stream)
				if err != nil {
					place = -1 // none has it
				}
				q.add(` AND f.place_id = ?`, place)
			}
		},
		scan: func(v *view, row scanner) (SnapshotInfo, string, int64, error) {
			s, err := v.scanSnapshot(row)
			return s, "", s.Seq, err
		},
	}.page(ctx, db, r, p)
}

const snapshotList = `SELECT f.seq, f.at, f.received_at, f.unit_id, f.result, COALESCE(u.name, ''), p.payload
	FROM snapshot f LEFT JOIN unit u ON u.space = f.space AND u.id = f.unit_id LEFT JOIN log_payload p ON p.workspace_id = ? AND p.seq = f.seq WHERE f.space = ?`

func (v *view) scanSnapshot(row scanner) (s SnapshotInfo, err error) {
	var at, received, unit int64
	var result string
	var payload []byte
	if err := row.Scan(&s.Seq, &at, &received, &unit, &result, &s.Name, &payload); err != nil {
		return s, err
	}
	s.ID, s.Unit, s.State = v.snapshotID(s.Seq), v.public(sinew.IDUnit, unit), SnapshotProjected
	s.At, s.Received = fromMicros(at), fromMicros(received)
	if result != "" {
		s.Result = json.RawMessage(result)
	}
	return s, s.read(payload)
}

func (s *SnapshotInfo) read(payload []byte) error {
	if payload == nil {
		return nil
	}
	s.Snapshot = new(sinew.Snapshot)
	if err := json.Unmarshal(payload, s.Snapshot); err != nil {
		return fmt.Errorf("entry %d: %w", s.Seq, err)
	}
	return nil
}

// Snapshot tells of one snapshot. While it is pending, only its uploader and
// readers of every unit see it: which unit it belongs to is not known yet.
func (db *DB) Snapshot(ctx context.Context, r sinew.Reader, id string) (*SnapshotInfo, error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no snapshot %.40s", id)
	var s SnapshotInfo
	err := db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDSnapshot, id)
		if err != nil {
			return missing
		}
		seq, n := sinew.SplitLocalID(local)
		if n != 0 {
			return missing
		}
		if seq > v.space.ProjectedSeq {
			return v.pending(ctx, &s, seq, missing)
		}
		q := (&query{}).add(snapshotList, v.r.Workspace, v.space.ID)
		v.visible(q, "f.unit_id")
		q.add(` AND f.seq = ?`, seq)
		if s, err = v.scanSnapshot(v.QueryRowContext(ctx, q.String(), q.args...)); err != nil {
			if sinew.CodeOf(notFound(err, "")) == sinew.CodeNotFound {
				return missing
			}
			return err
		}
		if s.Snapshot != nil {
			s.Evidence, err = v.evidence(ctx, s.Snapshot, seq)
		}
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("show snapshot: %w", err)
	}
	return &s, nil
}

func (v *view) pending(ctx context.Context, s *SnapshotInfo, seq int64, missing error) error {
	e, err := entry(ctx, v.tx, v.r.Workspace, seq)
	switch {
	case sinew.CodeOf(err) == sinew.CodeNotFound:
		return missing
	case err != nil:
		return err
	case e.Kind != sinew.EntrySnapshot, e.Actor != v.r.Principal && !v.r.All.Allows(sinew.RoleViewer):
		return missing
	}
	*s = SnapshotInfo{ID: v.snapshotID(seq), Seq: seq, State: SnapshotPending, Received: e.At}
	return s.read(e.Payload)
}

// OpenEvidence reads the redacted report of a snapshot, for who may see every
// unit that its target has findings in: a report cannot be cut into units. To
// others it is not found.
func (db *DB) OpenEvidence(ctx context.Context, r sinew.Reader, snapshot string) (*BlobReader, error) {
	s, err := db.Snapshot(ctx, r, snapshot)
	if err != nil {
		return nil, err
	}
	missing := sinew.Errorf(sinew.CodeNotFound, "no report is there for snapshot %s", snapshot)
	if s.Snapshot == nil || s.Snapshot.Evidence == "" {
		return nil, missing
	}
	digest, err := ParseDigest(s.Snapshot.Evidence)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	err = db.view(ctx, r, func(v *view) error {
		count := func(visible bool) (n int64, err error) {
			q := (&query{}).add(`SELECT COUNT(*) FROM finding f WHERE f.space = ? AND f.family_id IN (SELECT s.family_id FROM snapshot s WHERE s.space = ? AND s.seq = ?)`,
				v.space.ID, v.space.ID, s.Seq)
			v.current(q, "f")
			if visible {
				v.visible(q, "+f.unit_id")
			}
			return n, v.QueryRowContext(ctx, q.String(), q.args...).Scan(&n)
		}
		all, err := count(false)
		if err != nil {
			return err
		}
		seen, err := count(true)
		if err == nil && seen < all {
			return missing
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return db.OpenBlob(ctx, r.Workspace, BlobRef{BlobEvidence, digest})
}
