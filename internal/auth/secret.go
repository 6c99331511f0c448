package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Secrets that we hand out are a prefix, 52 letters and digits for 32 random
// bytes, and 7 for a CRC-32 of all before: secret scanners find them by
// sinew_(invite_)?[a-z2-7]{59} without false alarms, and a mistyped one is
// refused without asking the database. We keep their SHA-256 only; 256 random
// bits need no slow hash.
const (
	tokenPrefix  = "sinew_"
	invitePrefix = "sinew_invite_"

	randomChars = 52
	sumChars    = 7
)

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes a secret, and the hash that is kept of it.
func newSecret(prefix string) (secret string, hash [32]byte) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	secret = prefix + alphabet.EncodeToString(random)
	secret += checksum(secret)
	return secret, sha256.Sum256([]byte(secret))
}

func checksum(s string) string {
	var sum [5]byte // 40 bits make 8 characters, of which the first is always a
	binary.BigEndian.PutUint32(sum[1:], crc32.ChecksumIEEE([]byte(s)))
	return alphabet.EncodeToString(sum[:])[1:]
}

// hashSecret gives the hash of a well-formed secret.
func hashSecret(prefix, secret string) (hash [32]byte, ok bool) {
	body, found := strings.CutPrefix(secret, prefix)
	if !found || len(body) != randomChars+sumChars {
		return hash, false
	}
	if _, err := alphabet.DecodeString(body[:randomChars]); err != nil {
		return hash, false
	}
	end := len(secret) - sumChars
	if checksum(secret[:end]) != secret[end:] {
		return hash, false
	}
	return sha256.Sum256([]byte(secret)), true
}
