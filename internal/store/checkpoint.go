package store

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Checkpoint is the payload of a checkpoint entry: what the log and the
// projection were when everything up to Seq was projected, signed. The signature
// covers the dump by its digest.
type Checkpoint struct {
	Schema    string `json:"schema"`  // checkpoint/v1
	Seq       int64  `json:"seq"`     // the newest entry that is in it
	Chain     string `json:"chain"`   // hash of that entry
	State     string `json:"state"`   // state hash
	History   string `json:"history"` // history hash
	Version   string `json:"version"` // of the projection code
	Key       string `json:"key"`     // Ed25519 public key
	Signature string `json:"signature"`
	Dump      string `json:"dump,omitempty"` // digest of a blob of kind dump
}

// message is what is signed.
func (c *Checkpoint) message(workspaceUUID string) []byte {
	return fmt.Appendf(nil, "sinew checkpoint v1\x00%s\x00%d\x00%s\x00%s\x00%s\x00%s\x00%s",
		workspaceUUID, c.Seq, c.Chain, c.State, c.History, c.Version, c.Dump)
}

func (c *Checkpoint) sign(workspaceUUID string, key ed25519.PrivateKey) {
	public, _ := key.Public().(ed25519.PublicKey)
	c.Key = hex.EncodeToString(public)
	c.Signature = hex.EncodeToString(ed25519.Sign(key, c.message(workspaceUUID)))
}

// verify checks the signature: by the key that the caller trusts, else by the
// one in the checkpoint.
func (c *Checkpoint) verify(workspaceUUID string, trusted ed25519.PublicKey) error {
	key, err := hex.DecodeString(c.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("the checkpoint has no public key")
	}
	if trusted != nil && !trusted.Equal(ed25519.PublicKey(key)) {
		return fmt.Errorf("the checkpoint is signed by another key")
	}
	signature, err := hex.DecodeString(c.Signature)
	if err != nil || !ed25519.Verify(key, c.message(workspaceUUID), signature) {
		return fmt.Errorf("the signature of the checkpoint is wrong")
	}
	return nil
}

// AppendCheckpoint records the hashes of the live projection, and a dump of it that
// a rebuild can start from, signed with key. The lease keeps the projection still
// meanwhile; everything must be projected.
func (db *DB) AppendCheckpoint(ctx context.Context, lease *Lease, actor string, key ed25519.PrivateKey) (*Checkpoint, int64, error) {
	w, err := db.WorkspaceByID(ctx, lease.Workspace)
	if err != nil {
		return nil, 0, err
	}
	space, err := db.LiveSpace(ctx, lease.Workspace)
	if err != nil {
		return nil, 0, err
	}
	c := &Checkpoint{Schema: "checkpoint/v1", Seq: space.ProjectedSeq, Version: space.Version}
	at, err := entry(ctx, db.reader, lease.Workspace, c.Seq)
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: %w", err)
	}
	state, err := db.StateHash(ctx, space.ID)
	if err != nil {
		return nil, 0, err
	}
	dump, history, err := db.dump(ctx, w, space)
	if err != nil {
		return nil, 0, err
	}
	c.Chain, c.State, c.History, c.Dump = hex.EncodeToString(at.Hash[:]), state.String(), history.String(), hex.EncodeToString(dump[:])
	c.sign(w.UUID, key)
	payload, err := encodePayload(c)
	if err != nil {
		return nil, 0, err
	}
	var seq int64
	err = db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, lease.Workspace); err != nil {
			return err
		}
		if err := checkFence(ctx, t, lease); err != nil {
			return err
		}
		now, err := liveSpace(ctx, t, lease.Workspace)
		if err != nil {
			return err
		}
		if now != space {
			return sinew.Errorf(sinew.CodeConflict, "the projection changed while it was hashed").Hint("try again")
		}
		e, err := appendEntry(ctx, t, lease.Workspace, sinew.EntryCheckpoint, actor, payload)
		if err != nil {
			return err
		}
		seq = e.Seq
		if err := nameBlobs(ctx, t, lease.Workspace, e.At, []BlobRef{{BlobDump, dump}}); err != nil {
			return err
		}
		return enqueueProject(ctx, t, lease.Workspace)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: %w", err)
	}
	return c, seq, nil
}
