package sinew

import (
	"crypto/aes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// Local keys. Everything that the log brings into being is named by the log:
// the sequence number of the entry, and the ordinal of the thing within it. The
// two are packed into one int64 that rows are joined on; it grows with the log,
// is the same on every engine and after every rebuild, and never leaves the
// store.
const (
	ordinalBits = 28 // 268 million things an entry
	maxOrdinal  = 1<<ordinalBits - 1
	maxSeq      = 1<<(63-ordinalBits) - 1
)

// LocalID packs the coordinates of a thing's birth. It fails when either is out
// of range.
func LocalID(seq, ordinal int64) (int64, error) {
	if seq < 0 || seq > maxSeq || ordinal < 0 || ordinal > maxOrdinal {
		return 0, Errorf(CodeTooLarge, "entry %d, thing %d is outside the range of ids", seq, ordinal)
	}
	return seq<<ordinalBits | ordinal, nil
}

// SplitLocalID is the inverse of [LocalID].
func SplitLocalID(id int64) (seq, ordinal int64) { return id >> ordinalBits, id & maxOrdinal }

// IDKind is the letter that a public id begins with.
type IDKind byte

// The kinds of public ids.
const (
	IDFinding   IDKind = 'f'
	IDSnapshot  IDKind = 's'
	IDStream    IDKind = 't'
	IDUnit      IDKind = 'u'
	IDAsset     IDKind = 'a'
	IDDecision  IDKind = 'd'
	IDToken     IDKind = 'k'
	IDPrincipal IDKind = 'p'
	IDIssue     IDKind = 'i'
	IDView      IDKind = 'v'
)

var idAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// PublicID is the name by which the outside knows a local id: the kind's letter
// and 26 letters and digits. It is a keyed permutation of (kind, local id), so
// that no index is needed to find the row again, neighbours do not look alike,
// and an id of another workspace or a mistyped one is recognised as such. See
// docs/decisions/005-ids-and-hashes.md.
func PublicID(workspaceUUID string, kind IDKind, local int64) string {
	var block [16]byte
	block[0] = byte(kind)
	binary.BigEndian.PutUint64(block[8:], uint64(local)) //nolint:gosec // a bit pattern, not a quantity
	c, err := aes.NewCipher(idKey(workspaceUUID))
	if err != nil {
		return "" // a 16-byte key is always accepted
	}
	c.Encrypt(block[:], block[:])
	return string(kind) + idAlphabet.EncodeToString(block[:])
}

// ParsePublicID is the inverse of [PublicID].
func ParsePublicID(workspaceUUID string, kind IDKind, id string) (int64, error) {
	bad := Errorf(CodeNotFound, "there is no %s here", idNoun(kind, id))
	if len(id) != 27 || id[0] != byte(kind) {
		return 0, bad
	}
	text := strings.ToLower(id[1:])
	block, err := idAlphabet.DecodeString(text)
	if err != nil || len(block) != 16 || idAlphabet.EncodeToString(block) != text { // two bits of the last letter are spare
		return 0, bad
	}
	c, err := aes.NewCipher(idKey(workspaceUUID))
	if err != nil {
		return 0, bad
	}
	c.Decrypt(block, block)
	if block[0] != byte(kind) {
		return 0, bad
	}
	for _, b := range block[1:8] {
		if b != 0 {
			return 0, bad
		}
	}
	return int64(binary.BigEndian.Uint64(block[8:])), nil //nolint:gosec // a bit pattern, not a quantity
}

func idKey(workspaceUUID string) []byte {
	sum := sha256.Sum256([]byte("sinew public id v1\x00" + workspaceUUID))
	return sum[:16]
}

func idNoun(kind IDKind, id string) string {
	noun := map[IDKind]string{
		IDFinding: "finding", IDSnapshot: "snapshot", IDStream: "stream", IDUnit: "application", IDAsset: "asset",
		IDDecision: "decision", IDToken: "token", IDPrincipal: "principal", IDIssue: "issue", IDView: "view",
	}[kind]
	if len(id) > 40 {
		id = id[:40] + "..."
	}
	return noun + " " + id
}
