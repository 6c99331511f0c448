package sinew

import "time"

// EntryKind says what a log entry records.
type EntryKind string

// The entry kinds (docs/decisions/001-log.md).
const (
	EntryGenesis    EntryKind = "genesis"    // the workspace begins
	EntrySnapshot   EntryKind = "snapshot"   // a report was accepted
	EntryOutcome    EntryKind = "outcome"    // which observation is which finding
	EntryDecision   EntryKind = "decision"   // a person decided
	EntryLink       EntryKind = "link"       // a person said that findings are, or are not, one problem
	EntryIssue      EntryKind = "issue"      // a person changed who works on an issue, how far it is, or its ticket
	EntryIntel      EntryKind = "intel"      // intelligence was imported: names of vulnerabilities
	EntryRules      EntryKind = "rules"      // applications, services, units and environments, as a whole
	EntryRef        EntryKind = "ref"        // a ref was merged, closed or deleted
	EntryDeployment EntryKind = "deployment" // a version runs in an environment
	EntryAssetEnd   EntryKind = "asset_end"  // a machine or other asset ended
	EntryCheckpoint EntryKind = "checkpoint" // signed root hashes
	EntryTombstone  EntryKind = "tombstone"  // a payload was deleted
	EntryAccess     EntryKind = "access"     // users, tokens and grants changed
	EntryRetention  EntryKind = "retention"  // how long payloads of a kind are kept
)

// EntryKinds lists every entry kind.
var EntryKinds = []EntryKind{
	EntryGenesis, EntrySnapshot, EntryOutcome, EntryDecision, EntryLink, EntryIntel, EntryIssue, EntryRules, EntryRef, EntryDeployment,
	EntryAssetEnd, EntryCheckpoint, EntryTombstone, EntryAccess, EntryRetention,
}

// Entry is one link of the log's hash chain. Its payload is stored beside the
// chain and may be deleted; the chain then still verifies.
type Entry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"` // microseconds
	Kind    EntryKind `json:"kind"`
	Actor   string    `json:"actor"`   // pseudonym; "system" for the product itself
	Payload []byte    `json:"payload"` // canonical JSON; nil once deleted
	Digest  [32]byte  `json:"-"`       // sha256 of the payload
	Prev    [32]byte  `json:"-"`       // hash of the entry before
	Hash    [32]byte  `json:"-"`
}
