package pipeline

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/store"
)

// OutcomeSchema is the version of the outcome contract written today.
const OutcomeSchema = "outcome/v1"

// Outcome is the payload of an outcome entry: which observation is which
// finding, as the matcher said. A rebuild reads it and does not match.
type Outcome struct {
	Schema  string `json:"schema"`
	Cause   string `json:"cause"` // snapshot, refold, remap or rematch
	After   int64  `json:"after"` // the entry that it belongs to: applied right after it
	Matcher string `json:"matcher"`
	Family  int64  `json:"family,omitempty"` // local id, of a rematch
	// Assignments in fold order; those of a family that are not listed stay.
	Assignments []Assignment `json:"assignments"`
	Replaces    bool         `json:"replaces,omitempty"` // earlier outcomes of these snapshots
}

// Assignment is the outcome of one snapshot.
type Assignment struct {
	Snapshot int64  `json:"snapshot"`       // seq
	Digest   string `json:"digest"`         // of the assignment blob
	Body     string `json:"body,omitempty"` // digest of the body that a new mapping made
	*Remapping
}

// The causes of an outcome.
const (
	causeSnapshot = "snapshot"
	causeRefold   = "refold"
	causeRemap    = "remap"
	causeRematch  = "rematch"
)

// writeAssignment stores an assignment and gives its digest.
func (j *projector) writeAssignment(ctx context.Context, sn *snap, as *assignment) (digest [32]byte, err error) {
	b, err := j.db.NewBlob(ctx, j.ws.ID, store.BlobAssignment)
	if err != nil {
		return digest, err
	}
	defer b.Abort()
	w := identity.NewAssignmentWriter(b)
	for i, id := range as.ids {
		r := identity.Assigned{Pass: identity.Pass(as.pass[i]), Birth: id}
		if id == sn.Seq<<28|sn.ordinal(int64(i)) {
			r.Birth = 0
		}
		if err := w.Write(r); err != nil {
			return digest, err
		}
	}
	if err := w.Flush(); err != nil {
		return digest, err
	}
	digest, _, err = b.Commit()
	return digest, err
}

// readAssignment reads what [projector.writeAssignment] wrote.
func (j *projector) readAssignment(ctx context.Context, sn *snap, digest [32]byte) (*assignment, error) {
	r, err := j.db.OpenBlob(ctx, j.ws.ID, store.BlobRef{Kind: store.BlobAssignment, Digest: digest})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	as := &assignment{ids: make([]int64, 0, sn.S.Observations), pass: make([]uint8, 0, sn.S.Observations)}
	reader := identity.NewAssignmentReader(r)
	for {
		a, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("assignment of snapshot %d: %w", sn.Seq, err)
		}
		if a.Birth == 0 {
			a.Birth = sn.Seq<<28 | sn.ordinal(int64(len(as.ids)))
		}
		as.ids, as.pass = append(as.ids, a.Birth), append(as.pass, uint8(a.Pass))
	}
	return as, nil
}

// outcomesAfter gives what the log says already of an entry: its own outcome,
// and those that a person asked for after it.
func (j *projector) outcomesAfter(ctx context.Context, seq int64) (own, again []Outcome, err error) {
	for _, s := range j.outcomes[seq] {
		e, err := j.db.Entry(ctx, store.System(j.ws.ID), s)
		if err != nil {
			return nil, nil, err
		}
		o, err := payload[Outcome](e)
		if err != nil {
			return nil, nil, fmt.Errorf("outcome %d: %w", s, err)
		}
		switch o.Cause {
		case causeSnapshot, causeRefold:
			own = append(own, o)
		default:
			again = append(again, o)
		}
	}
	return own, again, nil
}

// digests gives the assignments of some outcomes, by snapshot.
func digests(outcomes []Outcome) (map[int64][32]byte, error) {
	out := map[int64][32]byte{}
	for i := range outcomes {
		for _, a := range outcomes[i].Assignments {
			d, err := store.ParseDigest(a.Digest)
			if err != nil {
				return nil, err
			}
			out[a.Snapshot] = d
		}
	}
	return out, nil
}

func hexDigest(d [32]byte) string { return hex.EncodeToString(d[:]) }
