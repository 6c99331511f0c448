package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

const (
	sessionPrefix = "sinew_session_"

	// RotateEvery is how long a session keeps one secret.
	RotateEvery = 30 * time.Minute
)

// BeginSession begins a browser's session for somebody who has just shown who he
// is. Its secret is new: one that the browser had before is of no use.
func (a *Auth) BeginSession(ctx context.Context, r sinew.Reader, provider string, from netip.Addr, agent string) (secret string, s store.Session, err error) {
	secret, hash := newSecret(sessionPrefix)
	address := ""
	if from.IsValid() {
		address = from.String()
	}
	s, err = a.db.CreateSession(ctx, r, store.NewSession{Provider: provider, Hash: hash, Address: address, Agent: agent})
	if err != nil {
		return "", s, err
	}
	return secret, s, nil
}

// BySession finds who shows the secret of a session. next is a new secret for
// the browser to keep instead, every half hour; "" most of the time.
func (a *Auth) BySession(ctx context.Context, secret string) (id Identity, next string, err error) {
	hash, ok := hashSecret(sessionPrefix, secret)
	if !ok {
		return id, "", sinew.Errorf(sinew.CodeUnauthn, "the session is not valid").Hint("sign in again")
	}
	s, r, err := a.db.SessionByHash(ctx, hash)
	if err != nil {
		return id, "", err
	}
	id = Identity{Reader: r, Session: &s}
	age := a.now().Sub(s.Rotated)
	if lost := s.Old && !s.Confirmed && age > store.SessionGrace; !lost && (s.Old || age < RotateEvery) {
		return id, "", nil
	}
	next, hashed := newSecret(sessionPrefix)
	rotated, err := a.db.RotateSession(ctx, s, hash, hashed)
	if err != nil || !rotated { // another request was first, and brings it
		next = ""
	}
	return id, next, err
}

// CSRF is what a page has to say with everything that changes something, beside
// its cookie: another site can make a browser send the one and not the other. It
// stays the same as long as the session.
func (a *Auth) CSRF(s *store.Session) (string, error) {
	key, err := a.derive(s.WorkspaceUUID, "csrf")
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(s.ID))
	return alphabet.EncodeToString(mac.Sum(nil)), nil
}

// CheckCSRF reports whether a page said what belongs to its session.
func (a *Auth) CheckCSRF(s *store.Session, said string) bool {
	want, err := a.CSRF(s)
	return err == nil && hmac.Equal([]byte(want), []byte(said))
}
