package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// remapped is a snapshot's body as a newer mapping makes it.
type remapped struct {
	body   [32]byte
	coords []int64
	how    Remapping
}

// Remap maps the redacted evidence of every snapshot again whose mapping has
// changed since, and logs what comes out as the outcome of a remap: a rebuild
// reads it and maps nothing. Observations that both bodies tell keep their
// coordinates, and with them their finding; evidence that was deleted leaves its
// snapshot as it is. A dry run changes nothing. tell is as for [Pipeline.Rematch].
func (p *Pipeline) Remap(ctx context.Context, r sinew.Reader, current func(format string) (ref, digest string), dryRun bool,
	tell func(done, of int64) error,
) (*Rematched, error) {
	return p.again(ctx, r, dryRun, tell, func(ctx context.Context, j *projector, fam store.FamilyRow) (map[int64]remapped, bool, error) {
		bodies, err := j.remapFamily(ctx, fam, current)
		return bodies, len(bodies) > 0, err
	})
}

func (j *projector) remapFamily(ctx context.Context, fam store.FamilyRow, current func(string) (string, string)) (map[int64]remapped, error) {
	rows, err := j.db.SnapshotsOf(ctx, j.space, fam.ID)
	if err != nil {
		return nil, err
	}
	out := map[int64]remapped{}
	for i := range rows {
		sn, err := j.snapshotEntry(ctx, rows[i].Seq)
		if err != nil {
			return nil, err
		}
		if err := j.now(ctx, sn, &rows[i]); err != nil {
			return nil, err
		}
		id := formatID(sn.S.Format)
		ref, digest := current(id)
		if ref == "" || digest == sn.S.FormatSHA {
			continue
		}
		m, err := j.mapAgain(ctx, sn, id, ref)
		if err != nil {
			return nil, fmt.Errorf("map snapshot %d again: %w", sn.Seq, err)
		}
		if m != nil && m.body != sn.Body {
			out[sn.Seq] = *m
		}
	}
	return out, nil
}

// formatID is the id of a mapping that is named id/version.
func formatID(ref string) string {
	for i := len(ref) - 1; i >= 0; i-- {
		if ref[i] == '/' {
			return ref[:i]
		}
	}
	return ref
}

// mapAgain maps the evidence of a snapshot; nil if it is no longer there.
func (j *projector) mapAgain(ctx context.Context, sn *snap, id, ref string) (*remapped, error) {
	digest, err := store.ParseDigest(sn.S.Evidence)
	if err != nil {
		return nil, err
	}
	evidence, err := j.db.OpenBlob(ctx, j.ws.ID, store.BlobRef{Kind: store.BlobEvidence, Digest: digest})
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer evidence.Close()
	spool, err := format.NewSpool(j.p.opt.SpoolDir, 0)
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	if _, err := io.Copy(spool, evidence); err != nil {
		return nil, err
	}
	body, err := j.db.NewBlob(ctx, j.ws.ID, store.BlobBody)
	if err != nil {
		return nil, err
	}
	defer body.Abort()
	key, keyID := j.p.opt.Keys.redaction(j.ws.UUID)
	parsed, err := j.p.opt.Parser.Parse(ctx, ParseRequest{
		Input:  format.Input{Name: sn.S.ReportName, R: spool, Size: spool.Size()},
		Format: id, RedactionKey: key, RedactionID: keyID, SpoolDir: j.p.opt.SpoolDir,
	}, body, io.Discard)
	if err != nil {
		return nil, err
	}
	m := &remapped{how: Remapping{
		Mapping: ref, Observations: parsed.Snapshot.Observations, Assets: parsed.Snapshot.AssetCount, Withdrawn: parsed.Snapshot.Withdrawn,
	}}
	if m.body, _, err = body.Commit(); err != nil {
		return nil, err
	}
	return m, j.carry(ctx, sn, m)
}

// carry finds the coordinates of a new body's observations: those of the
// observation that it had before, else new ones behind all that were given out.
func (j *projector) carry(ctx context.Context, sn *snap, m *remapped) error {
	var priors []identity.Prior
	next := make([]identity.Keys, 0, m.how.Observations)
	var h identity.Hasher
	f := &fold{j: j}
	free := int64(sn.S.Observations)
	err := f.eachObservation(ctx, sn, func(i int64, o *sinew.Observation) error {
		keys, _ := h.Hash(o)
		priors = append(priors, identity.Prior{ID: i, Keys: keys})
		free = max(free, sn.ordinal(i)+1)
		return nil
	})
	if err != nil {
		return err
	}
	now := &snap{Seq: sn.Seq, Body: m.body, S: sinew.Snapshot{Observations: m.how.Observations}}
	err = f.eachObservation(ctx, now, func(_ int64, o *sinew.Observation) error {
		keys, _ := h.Hash(o)
		next = append(next, keys)
		return nil
	})
	if err != nil {
		return err
	}
	m.coords = make([]int64, len(next))
	for i, p := range identity.Match(priors, next) {
		if p.Prior >= 0 {
			m.coords[i] = sn.ordinal(int64(p.Prior))
			continue
		}
		m.coords[i] = free
		free++
	}
	digest, err := j.writeCoords(ctx, sn.Seq, m.coords)
	m.how.Coordinates = hexDigest(digest)
	return err
}

// writeCoords stores coordinates in the form of an assignment: which birth each
// observation of the body would be.
func (j *projector) writeCoords(ctx context.Context, seq int64, coords []int64) (digest [32]byte, err error) {
	as := &assignment{ids: make([]int64, len(coords)), pass: make([]uint8, len(coords))}
	for i, n := range coords {
		as.ids[i] = seq<<28 | n
	}
	return j.writeAssignment(ctx, &snap{Seq: -1}, as)
}

func (j *projector) readCoords(ctx context.Context, sn *snap, name string) error {
	digest, err := store.ParseDigest(name)
	if err != nil {
		return err
	}
	as, err := j.readAssignment(ctx, &snap{Seq: -1}, digest)
	if err != nil {
		return err
	}
	sn.coords = make([]int64, len(as.ids))
	for i, id := range as.ids {
		_, sn.coords[i] = sinew.SplitLocalID(id)
	}
	return nil
}

// now makes a snapshot of the log what holds since its report was mapped again,
// if it was.
func (j *projector) now(ctx context.Context, sn *snap, row *store.SnapshotRow) error {
	if len(row.Body) != len(sn.Body) {
		return fmt.Errorf("snapshot %d: the digest of its body has %d bytes", sn.Seq, len(row.Body))
	}
	copy(sn.Body[:], row.Body)
	var res Result
	if err := json.Unmarshal([]byte(row.Result), &res); err != nil {
		return fmt.Errorf("result of snapshot %d: %w", sn.Seq, err)
	}
	if res.Remapped == nil {
		return nil
	}
	sn.takes(res.Remapped)
	return j.readCoords(ctx, sn, res.Remapped.Coordinates)
}

// takes is what changes with a body.
func (s *snap) takes(m *Remapping) {
	s.S.Observations, s.S.AssetCount, s.S.Withdrawn, s.S.Format = m.Observations, m.Assets, m.Withdrawn, m.Mapping
}

// remappings reads the bodies that an outcome brings.
func (j *projector) remappings(ctx context.Context, o *Outcome) (map[int64]remapped, error) {
	out := map[int64]remapped{}
	for i := range o.Assignments {
		a := &o.Assignments[i]
		if a.Remapping == nil {
			continue
		}
		body, err := store.ParseDigest(a.Body)
		if err != nil {
			return nil, err
		}
		sn := &snap{}
		if err := j.readCoords(ctx, sn, a.Coordinates); err != nil {
			return nil, err
		}
		out[a.Snapshot] = remapped{body: body, coords: sn.coords, how: *a.Remapping}
	}
	return out, nil
}

// takeBodies puts new bodies in the place of those that the family's snapshots
// had.
func (f *fold) takeBodies(items []*item, rows []store.SnapshotRow, bodies map[int64]remapped) error {
	for _, it := range items {
		m, ok := bodies[it.seq]
		if !ok || it.sn == nil {
			continue
		}
		how := m.how
		it.sn.Body, it.sn.coords, it.sn.fresh = m.body, m.coords, &how
		it.sn.takes(&how)
		f.j.remember(it.seq, m.body)
	}
	for i := range rows {
		m, ok := bodies[rows[i].Seq]
		if !ok {
			continue
		}
		var res Result
		if err := json.Unmarshal([]byte(rows[i].Result), &res); err != nil {
			return fmt.Errorf("result of snapshot %d: %w", rows[i].Seq, err)
		}
		how := m.how
		res.Remapped = &how
		text, err := res.encode()
		if err != nil {
			return err
		}
		rows[i].Body, rows[i].Result = m.body[:], text
	}
	return nil
}
