// Package auth says who asks: it checks passwords, sessions of browsers, API
// tokens, one-time links and what providers say, and turns them into the
// [sinew.Reader] on whose behalf the store is asked. It refuses to decide what a reader may do (the table of routes and the
// store do), keeps no secret that it could give away, and knows no HTTP.
package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/auth/openid"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// How long what we hand out is good for.
const (
	InviteLife = 24 * time.Hour
	TokenLife  = 90 * 24 * time.Hour  // where nothing is said
	MaxLife    = 366 * 24 * time.Hour // of a token: a year, leap day included
	SignInLife = 12 * time.Hour       // of a token that a password was given for
)

// Attempts to sign in: so many at once, then one every interval.
const (
	loginBurst, loginEvery     = 10, time.Minute      // of one login from one network
	networkBurst, networkEvery = 30, 10 * time.Second // of one network, whatever the logins
	guessBurst, guessEvery     = 100, time.Minute     // of one login, from networks that its owner never came from
	remembered                 = 20_000               // of each: about 3 MB at most

	// Answers that browsers bring from providers: nothing can be guessed by them,
	// but each makes us ask a provider.
	callbackBurst, callbackEvery = 100, time.Second
	// Refused sign-ins that the log of the workspace has.
	refusalBurst, refusalEvery = 100, 5 * time.Minute
)

// RefusedPassword is why a sign-in by password is refused; for those by a
// provider the reasons are those of package openid and of the store.
const RefusedPassword = "password"

// Auth checks credentials. It is safe for concurrent use.
type Auth struct {
	db     *store.DB
	log    *slog.Logger
	now    func() time.Time
	hasher *hasher

	key    func(workspaceUUID string) []byte // what everything that is sealed or signed here is derived from
	openid *openid.Client

	logins, networks    *limiter
	guesses             *limiter // by login alone
	trusted             *recent  // login and network, of those who came in
	callbacks, refusals *limiter
	decoy               string // hash of no password, checked for unknown logins so that these take as long
}

// New makes an Auth on a database, with the database's clock. key gives 32
// secret bytes for a workspace, always the same: client secrets are sealed by
// them.
func New(ctx context.Context, db *store.DB, log *slog.Logger, key func(workspaceUUID string) []byte) (*Auth, error) {
	a := &Auth{
		db: db, log: log, now: db.Now, hasher: newHasher(2), key: key, openid: openid.New(db.Now),
		callbacks: newLimiter(callbackBurst, callbackEvery, remembered, db.Now), refusals: newLimiter(refusalBurst, refusalEvery, 1, db.Now),
		logins:   newLimiter(loginBurst, loginEvery, remembered, db.Now),
		networks: newLimiter(networkBurst, networkEvery, remembered, db.Now),
		guesses:  newLimiter(guessBurst, guessEvery, remembered, db.Now), trusted: newRecent(remembered),
	}
	nobody, _ := newSecret("")
	var err error
	a.decoy, err = a.hasher.hash(ctx, nobody)
	return a, err
}

// Identity is who asks, and with what.
type Identity struct {
	Reader sinew.Reader
	// What was shown: a token or the secret of a session; neither inside the
	// process.
	Token   *store.Token
	Session *store.Session
}

// Bearer finds who shows an API token. Whatever is wrong with it, the answer is
// the same [sinew.CodeUnauthn].
func (a *Auth) Bearer(ctx context.Context, secret string) (Identity, error) {
	hash, ok := hashSecret(tokenPrefix, secret)
	if !ok {
		return Identity{}, sinew.Errorf(sinew.CodeUnauthn, "the token is not valid").
			Hint("a token is sinew_ and 59 letters and digits; make a new one with `sinew token create`")
	}
	token, reader, err := a.db.TokenByHash(ctx, hash)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Reader: reader, Token: &token}, nil
}

// SignIn finds who has this login and password. Unknown logins and wrong
// passwords give the same answer after the same time; from is the address that
// the attempt comes from.
func (a *Auth) SignIn(ctx context.Context, workspace int64, from netip.Addr, login, password string) (sinew.Reader, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	here := network(from)
	pair := login + "\x00" + here
	if wait := a.networks.take(here); wait > 0 {
		return sinew.Reader{}, tooOften(wait)
	}
	if wait := a.logins.take(pair); wait > 0 {
		return sinew.Reader{}, tooOften(wait)
	}
	// Many networks together must not guess faster either. That may not lock the
	// owner out: it does not concern where he came in from before.
	if !a.trusted.has(pair) {
		if wait := a.guesses.take(login); wait > 0 && !a.cameFrom(ctx, workspace, login, here) {
			return sinew.Reader{}, tooOften(wait)
		}
	}
	if len(login) > 200 || len(password) > maxPassword {
		login, password = "", "" // nobody; the answer takes as long
	}
	p, err := a.db.PrincipalByLogin(ctx, workspace, login)
	if err != nil && sinew.CodeOf(err) != sinew.CodeNotFound {
		return sinew.Reader{}, fmt.Errorf("sign in: %w", err)
	}
	known := err == nil && p.PasswordHash != ""
	stored := a.decoy
	if known {
		stored = p.PasswordHash
	}
	ok, stale, err := a.hasher.check(ctx, stored, password)
	if err != nil {
		return sinew.Reader{}, fmt.Errorf("sign in: %w", err)
	}
	if !known || !ok {
		a.refused(ctx, workspace, p.Pseudonym, "", RefusedPassword)
		return sinew.Reader{}, sinew.Errorf(sinew.CodeUnauthn, "login or password is wrong")
	}
	a.logins.forget(pair)
	a.trusted.add(pair)
	r := p.Reader(workspace)
	if stale {
		a.rehash(ctx, r, password)
	}
	return r, nil
}

// cameFrom reports whether a session that was begun from a network is there: what
// the process remembers ends with it, and sessions do not. An error is no: then
// the sender waits.
func (a *Auth) cameFrom(ctx context.Context, workspace int64, login, from string) bool {
	p, err := a.db.PrincipalByLogin(ctx, workspace, login)
	if err != nil {
		return false
	}
	list, err := a.db.Sessions(ctx, p.Reader(workspace))
	if err != nil {
		return false
	}
	for i := range list {
		if addr, err := netip.ParseAddr(list[i].Address); err == nil && network(addr) == from {
			return true
		}
	}
	return false
}

// rehash stores a password again with today's costs. Failing to is no reason to
// keep somebody out.
func (a *Auth) rehash(ctx context.Context, r sinew.Reader, password string) {
	hash, err := a.hasher.hash(ctx, password)
	if err == nil {
		err = a.db.SetPassword(ctx, r, r.Principal, hash)
	}
	if err != nil {
		a.log.WarnContext(ctx, "password not hashed again", "principal", r.Principal, "error", err)
	}
}

// TokenRequest is a token to be made.
type TokenRequest struct {
	Principal string        // whom it acts as; empty for oneself
	Name      string        // what it is for
	Role      sinew.Role    // the most it may do; empty for as much as whoever makes it
	Units     []int64       // nil for every unit of its principal
	Life      time.Duration // zero for [TokenLife]
}

// NewToken makes an API token and gives its secret, which nobody can see again.
// It allows no more than whoever makes it may; a token made with a token, no
// more than that one.
func (a *Auth) NewToken(ctx context.Context, by Identity, req TokenRequest) (secret string, token store.Token, err error) {
	if req.Life == 0 {
		req.Life = TokenLife
	}
	if req.Life < time.Minute || req.Life > MaxLife {
		return "", token, sinew.Errorf(sinew.CodeInvalid, "a token lives for 1 to 366 days")
	}
	if err := within(by, &req); err != nil {
		return "", token, err
	}
	if by.Reader.Principal == store.SystemActor && req.Principal == "" {
		if req.Principal, err = a.program(ctx, by.Reader, req); err != nil {
			return "", token, err
		}
	}
	secret, hash := newSecret(tokenPrefix)
	token, err = a.db.CreateToken(ctx, by.Reader, store.NewToken{
		Principal: req.Principal, Name: req.Name, Role: req.Role, Units: req.Units, Hash: hash, Expires: a.now().Add(req.Life),
	})
	if err != nil {
		return "", token, err
	}
	return secret, token, nil
}

// program makes the principal of a program that nobody is signed in for: it has
// the name and the rights of its token, and cannot sign in.
func (a *Auth) program(ctx context.Context, r sinew.Reader, req TokenRequest) (pseudonym string, err error) {
	n := store.NewPrincipal{Name: req.Name, All: req.Role}
	if req.Units != nil {
		n.All, n.Grants = sinew.RoleNone, map[int64]sinew.Role{}
		for _, unit := range req.Units {
			n.Grants[unit] = req.Role
		}
	}
	p, err := a.db.CreatePrincipal(ctx, r, n)
	return p.Pseudonym, err
}

// SignInToken makes the token of somebody who gave a password: for a short time
// it allows whatever he may.
func (a *Auth) SignInToken(ctx context.Context, r sinew.Reader) (secret string, token store.Token, err error) {
	secret, hash := newSecret(tokenPrefix)
	token, err = a.db.CreateToken(ctx, r, store.NewToken{
		Name: "sign-in", Role: sinew.RoleAdmin, Hash: hash, Expires: a.now().Add(SignInLife),
	})
	return secret, token, err
}

// within keeps a token from making one that may do more.
func within(by Identity, req *TokenRequest) error {
	limit := by.Reader.All
	for _, role := range by.Reader.Units {
		if !limit.Allows(role) {
			limit = role
		}
	}
	if limit == sinew.RoleNone {
		return sinew.Errorf(sinew.CodeDenied, "you have no role yet").Hint("ask an administrator for one")
	}
	if req.Role == sinew.RoleNone {
		req.Role = limit
	}
	if !limit.Allows(req.Role) {
		return sinew.Errorf(sinew.CodeDenied, "you are signed in as %s, and cannot make a token that is %s", limit, req.Role).
			Hint("sign in with your password if your token is weaker than you are")
	}
	if by.Token == nil || by.Token.Units == nil {
		return nil
	}
	if req.Units == nil {
		req.Units = slices.Clone(by.Token.Units)
	}
	for _, unit := range req.Units {
		if !slices.Contains(by.Token.Units, unit) {
			return sinew.Errorf(sinew.CodeDenied, "a token for some applications cannot make one for others").
				Hint("sign in with your password first")
		}
	}
	return nil
}

// Invite makes a one-time link to become a principal with the role. It gives
// the secret part.
func (a *Auth) Invite(ctx context.Context, r sinew.Reader, role sinew.Role) (secret string, expires time.Time, err error) {
	secret, hash := newSecret(invitePrefix)
	expires = a.now().Add(InviteLife)
	if err := a.db.CreateInvite(ctx, r, role, hash, expires); err != nil {
		return "", time.Time{}, err
	}
	return secret, expires, nil
}

// FirstInvite makes a link for the first administrator, while there is nobody
// who could sign in; otherwise it gives "".
func (a *Auth) FirstInvite(ctx context.Context, workspace int64) (secret string, err error) {
	somebody, err := a.db.HasPrincipals(ctx, workspace)
	if err != nil || somebody {
		return "", err
	}
	secret, _, err = a.Invite(ctx, store.System(workspace), sinew.RoleAdmin)
	return secret, err
}

// NewUser is a principal to be made.
type NewUser struct {
	Login, Name, Email string
	Password           string // empty for one that acts by tokens only
	All                sinew.Role
	Grants             map[int64]sinew.Role
}

func (a *Auth) principal(ctx context.Context, u NewUser) (store.NewPrincipal, error) {
	p := store.NewPrincipal{Login: u.Login, Name: u.Name, Email: u.Email, All: u.All, Grants: u.Grants}
	if u.Password == "" {
		return p, nil
	}
	if err := checkPassword(u.Login, u.Password); err != nil {
		return p, err
	}
	var err error
	p.PasswordHash, err = a.hasher.hash(ctx, u.Password)
	return p, err
}

// CreateUser makes a principal on behalf of an administrator.
func (a *Auth) CreateUser(ctx context.Context, r sinew.Reader, u NewUser) (store.Principal, error) {
	if !r.All.Allows(sinew.RoleAdmin) { // before any work
		return store.Principal{}, sinew.Errorf(sinew.CodeDenied, "only administrators may do this")
	}
	p, err := a.principal(ctx, u)
	if err != nil {
		return store.Principal{}, err
	}
	return a.db.CreatePrincipal(ctx, r, p)
}

// Redeem uses a one-time link: the user that it allows is made, once. The role
// comes from the link.
func (a *Auth) Redeem(ctx context.Context, from netip.Addr, secret string, u NewUser) (store.Principal, int64, error) {
	if wait := a.networks.take(network(from)); wait > 0 {
		return store.Principal{}, 0, tooOften(wait)
	}
	hash, ok := hashSecret(invitePrefix, secret)
	if !ok {
		return store.Principal{}, 0, sinew.Errorf(sinew.CodeUnauthn, "the link is not valid").Hint("copy all of it")
	}
	if _, _, err := a.db.Invite(ctx, hash); err != nil { // before any work
		return store.Principal{}, 0, err
	}
	if u.Password == "" {
		return store.Principal{}, 0, sinew.Errorf(sinew.CodeInvalid, "choose a password")
	}
	p, err := a.principal(ctx, u)
	if err != nil {
		return store.Principal{}, 0, err
	}
	return a.db.RedeemInvite(ctx, hash, p)
}

// ChangePassword replaces one's own password. The sessions of other browsers
// end.
func (a *Auth) ChangePassword(ctx context.Context, id Identity, from netip.Addr, old, password string) error {
	r, keep := id.Reader, ""
	if id.Session != nil {
		keep = id.Session.ID
	}
	me, err := a.db.Principal(ctx, r, r.Principal)
	if err != nil {
		return err
	}
	if _, err := a.SignIn(ctx, r.Workspace, from, me.Login, old); err != nil {
		return err
	}
	return a.setPassword(ctx, r, me, password, keep)
}

// ResetPassword sets a principal's password on behalf of an administrator. Its
// sessions end.
func (a *Auth) ResetPassword(ctx context.Context, r sinew.Reader, pseudonym, password string) error {
	if !r.All.Allows(sinew.RoleAdmin) {
		return sinew.Errorf(sinew.CodeDenied, "only administrators may do this")
	}
	p, err := a.db.Principal(ctx, r, pseudonym)
	if err != nil {
		return err
	}
	return a.setPassword(ctx, r, p, password, "")
}

func (a *Auth) setPassword(ctx context.Context, r sinew.Reader, p store.Principal, password, keep string) error {
	if err := checkPassword(p.Login, password); err != nil {
		return err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.db.ChangePassword(ctx, r, p.Pseudonym, hash, keep)
}
