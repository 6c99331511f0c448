package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/sinew"
)

// VerifyOptions says how a log is verified; the zero value verifies everything.
type VerifyOptions struct {
	Key      ed25519.PublicKey          // that checkpoints must be signed with; nil takes the one that they name
	NoBlobs  bool                       // leaves the contents of blobs out
	Progress func(done, of int64) error // called now and then with entries; may be nil
}

// VerifyReport is what a verification found. The log is intact when Problems is
// empty; they come in the order of the entries, the first bad one first.
type VerifyReport struct {
	Workspace   string                    `json:"workspace"`
	Entries     int64                     `json:"entries"`
	Kinds       map[sinew.EntryKind]int64 `json:"kinds"` // entries of each
	Head        string                    `json:"head"`  // hash of the newest entry: keep it elsewhere to notice a log that was cut off
	Blobs       int64                     `json:"blobs"`
	BlobBytes   int64                     `json:"blob_bytes"`
	Deleted     int64                     `json:"deleted"` // payloads and blobs that a tombstone tells of
	Checkpoints int64                     `json:"checkpoints"`
	Problems    []Problem                 `json:"problems,omitempty"`
}

// OK reports whether nothing is wrong.
func (r *VerifyReport) OK() bool { return len(r.Problems) == 0 }

// Err is nil when nothing is wrong, else an error that names the first bad entry.
func (r *VerifyReport) Err() error {
	if r.OK() {
		return nil
	}
	p := r.Problems[0]
	return sinew.Errorf(sinew.CodeConflict, "the log is not intact: entry %d: %s", p.Seq, p.What).
		Hint("compare with a backup; `sinew log show %d` shows the entry", p.Seq)
}

// Problem is one thing that is wrong with a log.
type Problem struct {
	Seq  int64  `json:"seq"` // entry; 0 for what belongs to none
	What string `json:"what"`
}

const maxProblems = 100

// VerifyLog reads a workspace's log and everything that it names, and checks
// that nothing was changed: the chain, the payloads, the blobs, tombstones for
// what is missing, the signatures of checkpoints, and that access is what the
// log says. It holds one entry at a time.
func (db *DB) VerifyLog(ctx context.Context, workspace int64, o VerifyOptions) (*VerifyReport, error) {
	w, err := db.WorkspaceByID(ctx, workspace)
	if err != nil {
		return nil, err
	}
	last, _, err := db.Head(ctx, workspace)
	if err != nil {
		return nil, err
	}
	v := &verifier{
		db: db, ctx: ctx, o: o, w: w, report: &VerifyReport{Workspace: w.Name}, seen: map[int64]bool{},
		missing: map[int64]bool{}, deleted: map[string]int64{}, access: accessState{},
	}
	// The log may grow while we read it, and with it what people may do: the
	// two are compared where they meet.
	var now accessState
	for end := int64(-1); end != v.prev.Seq; {
		for e, err := range db.Entries(ctx, workspace, v.prev.Seq+1) {
			if err != nil {
				return nil, fmt.Errorf("verify log: %w", err)
			}
			if err := v.entry(&e); err != nil {
				return nil, fmt.Errorf("verify entry %d: %w", e.Seq, err)
			}
			if o.Progress != nil && (e.Seq%256 == 0 || e.Seq == last) {
				if err := o.Progress(e.Seq, max(last, e.Seq)); err != nil {
					return nil, err
				}
			}
		}
		if now, end, err = db.accessNow(ctx, workspace); err != nil {
			return nil, fmt.Errorf("verify log: %w", err)
		}
	}
	for _, what := range v.access.differences(now) {
		v.problem(0, "%s", what)
	}
	if err := v.rest(); err != nil {
		return nil, fmt.Errorf("verify log: %w", err)
	}
	return v.report, nil
}

type verifier struct {
	db     *DB
	ctx    context.Context
	o      VerifyOptions
	w      sinew.Workspace
	report *VerifyReport

	prev    sinew.Entry
	seen    map[int64]bool   // blobs that were verified
	missing map[int64]bool   // entries without payload
	deleted map[string]int64 // blob references -> entry that told of their deletion
	lost    []lostBlob
	access  accessState
}

// lostBlob is one that an entry names and that is not there: a later tombstone
// must tell why.
type lostBlob struct {
	seq int64
	ref BlobRef
	by  int64
}

func (v *verifier) problem(seq int64, format string, args ...any) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, Problem{seq, fmt.Sprintf(format, args...)})
	}
}

// entry checks one link, and what it names.
func (v *verifier) entry(e *sinew.Entry) error {
	hash, err := EntryHash(v.w.UUID, e)
	switch {
	case err != nil:
		v.problem(e.Seq, "%v", err)
	case e.Seq != v.prev.Seq+1:
		v.problem(e.Seq, "entries between %d and it are missing", v.prev.Seq)
	case e.Prev != v.prev.Hash:
		v.problem(e.Seq, "it does not follow entry %d: its prev is not that entry's hash", v.prev.Seq)
	case e.At.Before(v.prev.At):
		v.problem(e.Seq, "its time is before that of entry %d", v.prev.Seq)
	case hash != e.Hash:
		v.problem(e.Seq, "its hash is not that of its fields")
	}
	v.prev = *e
	v.prev.Payload = nil
	v.report.Entries++
	if v.report.Kinds == nil {
		v.report.Kinds = map[sinew.EntryKind]int64{}
	}
	v.report.Kinds[e.Kind]++
	v.report.Head = hex.EncodeToString(e.Hash[:])
	if e.Payload == nil {
		v.missing[e.Seq] = true
		return nil
	}
	if sha256.Sum256(e.Payload) != e.Digest {
		v.problem(e.Seq, "its payload is not what was recorded")
		return nil
	}
	return v.payload(e)
}

func (v *verifier) payload(e *sinew.Entry) error {
	switch e.Kind {
	case sinew.EntryGenesis:
		v.genesis(e)
	case sinew.EntryCheckpoint:
		if err := v.checkpoint(e); err != nil {
			return err
		}
	case sinew.EntryTombstone:
		v.tombstone(e)
	case sinew.EntryAccess:
		if err := v.access.apply(e.Payload); err != nil {
			v.problem(e.Seq, "%v", err)
		}
	case sinew.EntrySnapshot, sinew.EntryOutcome, sinew.EntryDecision, sinew.EntryLink, sinew.EntryIntel, sinew.EntryIssue, sinew.EntryRules, sinew.EntryRef,
		sinew.EntryDeployment, sinew.EntryAssetEnd, sinew.EntryRetention:
	default:
		v.problem(e.Seq, "unknown kind %q: a newer sinew wrote it", e.Kind)
	}
	refs, err := blobsNamed(e.Kind, e.Payload)
	if err != nil {
		v.problem(e.Seq, "%v", err)
		return nil
	}
	for _, ref := range refs {
		if err := v.blob(e.Seq, ref); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) genesis(e *sinew.Entry) {
	var g Genesis
	if err := json.Unmarshal(e.Payload, &g); err != nil || g.UUID != v.w.UUID || g.Name != v.w.Name {
		v.problem(e.Seq, "it begins another workspace than %q (%s)", v.w.Name, v.w.UUID)
	}
}

func (v *verifier) checkpoint(e *sinew.Entry) error {
	var c Checkpoint
	if err := json.Unmarshal(e.Payload, &c); err != nil {
		v.problem(e.Seq, "it cannot be read: %v", err)
		return nil
	}
	v.report.Checkpoints++
	if err := c.verify(v.w.UUID, v.o.Key); err != nil {
		v.problem(e.Seq, "%v", err)
	}
	if err := v.dump(e.Seq, &c); err != nil {
		return err
	}
	at, err := entry(v.ctx, v.db.reader, v.w.ID, c.Seq)
	if err != nil || hex.EncodeToString(at.Hash[:]) != c.Chain || c.Seq >= e.Seq {
		v.problem(e.Seq, "the checkpoint is not of entry %d as it is now", c.Seq)
	}
	return nil
}

// dump checks that a checkpoint's dump is what its history hash says. That its
// bytes have the digest is checked with the other blobs; one that was deleted
// needs a tombstone like these.
func (v *verifier) dump(seq int64, c *Checkpoint) error {
	if c.Dump == "" || v.o.NoBlobs {
		return nil
	}
	ref, err := c.dumpRef()
	if err != nil {
		return nil // told with the blobs that the entry names
	}
	b, err := livingBlob(v.ctx, v.db.reader, v.w.ID, ref)
	if err != nil {
		return allowMissing(err) // likewise
	}
	r := &BlobReader{ctx: v.ctx, db: v.db, id: b.id, size: b.size}
	defer r.Close()
	root, err := scanDump(r, func(h *dumpHeader) error {
		if h.Workspace != v.w.UUID || h.Seq != c.Seq || h.Version != c.Version {
			v.problem(seq, "its dump is not of this checkpoint")
		}
		return nil
	}, func(int, []any) error { return nil })
	switch {
	case v.ctx.Err() != nil:
		return v.ctx.Err()
	case err != nil:
		v.problem(seq, "%v", err)
	case hex.EncodeToString(root[:]) != c.History:
		v.problem(seq, "its dump has another history hash than it says")
	}
	return nil
}

// Tombstone is the payload of a tombstone entry: what was deleted, and why.
type Tombstone struct {
	Schema  string   `json:"schema"`            // tombstone/v1
	Kind    BlobKind `json:"kind"`              // of the blobs; empty when it is about payloads
	Digests []string `json:"digests,omitempty"` // of blobs
	Entries []int64  `json:"entries,omitempty"` // whose payloads were deleted
	Why     string   `json:"why"`               // retention, or the request
	Days    int      `json:"days,omitempty"`    // of the retention rule
}

func (v *verifier) tombstone(e *sinew.Entry) {
	var t Tombstone
	if err := json.Unmarshal(e.Payload, &t); err != nil {
		v.problem(e.Seq, "it cannot be read: %v", err)
		return
	}
	for _, digest := range t.Digests {
		v.deleted[string(t.Kind)+" "+digest] = e.Seq
	}
	for _, seq := range t.Entries {
		if v.missing[seq] {
			v.report.Deleted++
			delete(v.missing, seq)
		}
	}
}

// blob checks one blob, once.
func (v *verifier) blob(seq int64, ref BlobRef) error {
	b, err := findBlob(v.ctx, v.db.reader, v.w.ID, ref)
	if err != nil {
		if sinew.CodeOf(err) != sinew.CodeNotFound {
			return err
		}
		v.problem(seq, "the %s that it names is missing", ref)
		return nil
	}
	switch {
	case b.deletedSeq.Valid:
		v.lost = append(v.lost, lostBlob{seq, ref, b.deletedSeq.Int64})
		return nil
	case v.o.NoBlobs, v.seen[b.id]:
		return nil
	}
	v.seen[b.id] = true
	v.report.Blobs++
	v.report.BlobBytes += b.size
	what, err := v.content(ref, b)
	if what != "" {
		v.problem(seq, "the %s that it names: %s", ref, what)
	}
	return err
}

// content reads a blob through. What is wrong with its bytes is no error.
func (v *verifier) content(ref BlobRef, b blobRow) (what string, err error) {
	hash := sha256.New()
	r := &BlobReader{ctx: v.ctx, db: v.db, id: b.id, size: b.size}
	defer r.Close()
	lines := &lineCounter{}
	if _, err := io.Copy(io.MultiWriter(hash, lines), r); err != nil {
		if err := v.ctx.Err(); err != nil {
			return "", err
		}
		return err.Error(), nil
	}
	frames, err := v.db.reader.QueryContext(v.ctx, `SELECT n, first_line FROM blob_frame WHERE blob_id = $1 ORDER BY n`, b.id)
	if err != nil {
		return "", err
	}
	defer frames.Close()
	var n, first, before int64
	for i := int64(0); frames.Next(); i++ {
		if err := frames.Scan(&n, &first); err != nil {
			return "", err
		}
		if n != i || first < before || first > lines.n {
			return fmt.Sprintf("frame %d is out of order", n), frames.Err()
		}
		before = first
	}
	switch {
	case !bytes.Equal(hash.Sum(nil), ref.Digest[:]):
		return "its bytes are not what was recorded", frames.Err()
	case lines.n != b.lines:
		return "it has another number of lines than recorded", frames.Err()
	}
	return "", frames.Err()
}

type lineCounter struct{ n int64 }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.n += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// rest checks what can only be said at the end.
func (v *verifier) rest() error {
	for _, lost := range v.lost {
		if v.deleted[lost.ref.String()] != lost.by {
			v.problem(lost.seq, "the %s that it names is gone, and entry %d does not tell of it", lost.ref, lost.by)
			continue
		}
		v.report.Deleted++
	}
	for seq := range v.missing {
		v.problem(seq, "its payload is missing, and no tombstone tells why")
	}
	space, err := v.db.LiveSpace(v.ctx, v.w.ID)
	if err != nil {
		return err
	}
	if space.ProjectedSeq > v.prev.Seq {
		v.problem(v.prev.Seq, "entry %d was projected and is no longer there: the log was cut off", space.ProjectedSeq)
	}
	sortProblems(v.report.Problems)
	return nil
}

// blobsNamed lists the blobs that a payload names.
func blobsNamed(kind sinew.EntryKind, payload []byte) (refs []BlobRef, err error) {
	var p struct {
		Body        string `json:"body"`
		Evidence    string `json:"evidence"`
		Dump        string `json:"dump"`
		Digest      string `json:"digest"` // of intelligence
		Assignments []struct {
			Digest string `json:"digest"`
			Body   string `json:"body"`
		} `json:"assignments"`
	}
	switch kind {
	case sinew.EntrySnapshot, sinew.EntryOutcome, sinew.EntryCheckpoint, sinew.EntryIntel:
	default:
		return nil, nil
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	add := func(kind BlobKind, digest string) {
		if digest == "" || err != nil {
			return
		}
		ref := BlobRef{Kind: kind}
		ref.Digest, err = ParseDigest(digest)
		refs = append(refs, ref)
	}
	add(BlobBody, p.Body)
	add(BlobEvidence, p.Evidence)
	add(BlobDump, p.Dump)
	if kind == sinew.EntryIntel {
		add(BlobIntel, p.Digest)
	}
	for _, a := range p.Assignments {
		add(BlobAssignment, a.Digest)
		add(BlobBody, a.Body)
	}
	return refs, err
}
