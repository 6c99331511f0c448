package pipeline

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Keys is the master key of an installation. It lies outside the database and
// is part of a backup; every workspace uses keys derived from it by HKDF
// (RFC 5869) with the workspace's uuid as salt. Losing it loses nothing but the
// comparison of secrets by value and the signing of checkpoints.
type Keys struct{ master [32]byte }

// NewKeys takes a master key of 32 bytes.
func NewKeys(master []byte) (Keys, error) {
	var k Keys
	if len(master) != len(k.master) {
		return k, sinew.Errorf(sinew.CodeInvalid, "the master key has %d bytes instead of 32", len(master)).
			Hint("make one with: head -c 32 /dev/urandom | base64")
	}
	copy(k.master[:], master)
	return k, nil
}

// ParseKeys reads a master key from text: 32 bytes as base64 or hex, the form of
// the variable SINEW_KEY and of a key file.
func ParseKeys(text string) (Keys, error) {
	text = strings.TrimSpace(text)
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == 32 {
		return NewKeys(raw)
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if raw, err := enc.DecodeString(text); err == nil && len(raw) == 32 {
			return NewKeys(raw)
		}
	}
	return Keys{}, sinew.Errorf(sinew.CodeInvalid, "the master key is not 32 bytes in base64 or hex").
		Hint("make one with: head -c 32 /dev/urandom | base64")
}

// KeyFile is where the master key of a SQLite database lies.
func KeyFile(database string) string { return database + ".key" }

// LoadKeys gives the master key: from env (the value of SINEW_KEY) if that is
// set, else from the file, which is made on first use where make is set. A file
// that others may read is refused.
func LoadKeys(env, file string, create bool) (Keys, error) {
	if env != "" {
		k, err := ParseKeys(env)
		if err != nil {
			return k, fmt.Errorf("read SINEW_KEY: %w", err)
		}
		return k, nil
	}
	if file == "" {
		return Keys{}, sinew.Errorf(sinew.CodeInvalid, "no master key is configured").
			Hint("set SINEW_KEY or name a file with --key-file")
	}
	k, err := readKeyFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if !create {
		return Keys{}, sinew.Errorf(sinew.CodeInvalid, "the key file %s does not exist", file).
			Hint("restore it from the backup, or set SINEW_KEY")
	}
	return makeKeyFile(file)
}

func readKeyFile(file string) (Keys, error) {
	info, err := os.Stat(file)
	if err != nil {
		return Keys{}, fmt.Errorf("open the key file: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return Keys{}, sinew.Errorf(sinew.CodeInvalid, "the key file can be read by others (mode %04o)", perm).
			At(file).Hint("run: chmod 600 %s", file)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return Keys{}, fmt.Errorf("read the key file: %w", err)
	}
	k, err := ParseKeys(string(text))
	if err != nil {
		return Keys{}, fmt.Errorf("read the key file %s: %w", file, err)
	}
	return k, nil
}

// makeKeyFile writes a new key beside its final name and links it there, so that
// two processes that start at once agree on one key and a crash leaves no half
// of one.
func makeKeyFile(file string) (Keys, error) {
	var k Keys
	_, _ = rand.Read(k.master[:]) // never fails
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*")
	if err != nil {
		return Keys{}, fmt.Errorf("make the key file: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // it has another name by then
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(k.master[:]) + "\n")
	err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close())
	if err != nil {
		return Keys{}, fmt.Errorf("make the key file: %w", err)
	}
	if err := os.Link(tmp.Name(), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return readKeyFile(file) // another process was first
		}
		return Keys{}, fmt.Errorf("make the key file: %w", err)
	}
	return k, nil
}

// derive gives the key of a workspace for one purpose.
func (k Keys) derive(workspaceUUID, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, k.master[:], []byte(workspaceUUID), "sinew "+purpose+" v1", 32)
	if err != nil {
		return nil // 32 bytes are always to be had
	}
	return key
}

// redaction gives the key of the tokens that stand for secrets in a workspace,
// and the key's name.
func (k Keys) redaction(workspaceUUID string) (key []byte, id string) {
	sum := sha256.Sum256(k.derive(workspaceUUID, "redaction key id"))
	return k.derive(workspaceUUID, "redaction"), hex.EncodeToString(sum[:4])
}

// rawMAC is the keyed digest by which the bytes of an upload are recognised: it
// says nothing to those who have not the key, although the bytes may hold
// secrets.
func (k Keys) rawMAC(workspaceUUID string) hash.Hash {
	return hmac.New(sha256.New, k.derive(workspaceUUID, "raw report"))
}

// Access is the key from which package auth derives those that seal client
// secrets and guard the sessions of a workspace.
func (k Keys) Access(workspaceUUID string) []byte { return k.derive(workspaceUUID, "access") }

// signer signs the checkpoints of a workspace.
func (k Keys) signer(workspaceUUID string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(k.derive(workspaceUUID, "checkpoint"))
}

// CheckpointKey is the public key that verifies the checkpoints of a workspace.
func (k Keys) CheckpointKey(workspaceUUID string) ed25519.PublicKey {
	pub, _ := k.signer(workspaceUUID).Public().(ed25519.PublicKey)
	return pub
}

// Text is the master key as a key file and a backup hold it.
func (k Keys) Text() string { return base64.StdEncoding.EncodeToString(k.master[:]) }
