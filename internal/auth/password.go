package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/sinewsec/sinew/internal/sinew"
)

// params are the costs of argon2id. They stand in every stored hash, so that
// they can be raised: a hash made with others is made again at the next
// sign-in.
type params struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// current are OWASP's first recommendation: 19 MiB, two passes, 36 ms on the
// reference machine.
var current = params{memory: 19 << 10, passes: 2, threads: 1}

const (
	saltLen = 16
	keyLen  = 32

	minPassword = 12   // characters
	maxPassword = 1024 // bytes
)

// hasher computes argon2id for few at a time, so that a flood of sign-ins
// cannot take the machine's memory.
type hasher struct{ slots chan struct{} }

func newHasher(parallel int) *hasher { return &hasher{slots: make(chan struct{}, parallel)} }

func (h *hasher) key(ctx context.Context, password string, salt []byte, p params, length uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.threads, length), nil
}

// hash gives the text that is stored for a password, in the usual PHC form.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails
	key, err := h.key(ctx, password, salt, current, keyLen)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		current.memory, current.passes, current.threads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// check compares a password with a stored hash, and says whether the hash was
// made with other costs than today's.
func (h *hasher) check(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	p, salt, want, err := parseHash(stored)
	if err != nil {
		return false, false, err
	}
	got, err := h.key(ctx, password, salt, p, uint32(len(want))) //nolint:gosec // parseHash bounds it
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, p != current || len(want) != keyLen || len(salt) != saltLen, nil
}

var errHash = errors.New("the stored password hash is damaged")

func parseHash(stored string) (p params, salt, key []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil {
		return p, nil, nil, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 ||
		p.memory < 8 || p.memory > 256<<10 || p.passes < 1 || p.passes > 16 || p.threads < 1 || p.threads > 16 {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}

// checkPassword refuses what is too easily guessed. Length is what helps; rules
// about kinds of characters do not.
func checkPassword(login, password string) error {
	fault := func(format string, args ...any) error {
		return sinew.Errorf(sinew.CodeInvalid, format, args...).Hint("use a sentence, or let a password manager make one")
	}
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return fault("the password is not UTF-8 text")
	case len(password) > maxPassword:
		return fault("the password is longer than %d bytes", maxPassword)
	case utf8.RuneCountInString(password) < minPassword:
		return fault("the password has fewer than %d characters", minPassword)
	case login != "" && strings.Contains(lower, strings.ToLower(login)) && len(lower)-len(login) < minPassword:
		return fault("the password is the login with little more")
	case distinct(lower) < 5:
		return fault("the password has fewer than 5 different characters")
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}
