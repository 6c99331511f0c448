package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Provider is an OpenID Connect provider that people sign in by.
type Provider struct {
	ProviderSettings
	ID      string // in addresses
	Name    string // on the button
	Secret  []byte // of the client, sealed by package auth; empty for none
	Created time.Time
	Updated time.Time
}

// ProviderSettings are what decides who gets in by a provider, and as what. The
// log has all of them.
type ProviderSettings struct {
	Issuer      string      `json:"issuer"`
	ClientID    string      `json:"client_id"`
	Scopes      []string    `json:"scopes,omitempty"` // beside openid
	GroupsClaim string      `json:"groups_claim"`
	LoginClaim  string      `json:"login_claim"`
	Mappings    []GroupRole `json:"mappings,omitempty"`
	DefaultRole sinew.Role  `json:"default_role,omitempty"` // of whoever signs in, on every unit
	Enabled     bool        `json:"enabled"`
}

// GroupRole says what members of a group may do.
type GroupRole struct {
	Group       string     `json:"group"`
	Role        sinew.Role `json:"role"`
	Application string     `json:"application,omitempty"` // empty for every unit
}

// Bounds of what is kept of providers.
const (
	maxProviders = 20
	maxMappings  = 500
	maxScopes    = 20
	// MaxGroups and MaxGroup bound what is kept of somebody's groups.
	MaxGroups = 2000
	MaxGroup  = 256 // bytes
)

var (
	slug  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	scope = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,100}$`) // RFC 6749, 3.3
)

// Validate says what is wrong with the settings of a provider.
func (p *Provider) Validate() error {
	bad := func(where, format string, args ...any) error {
		return sinew.Errorf(sinew.CodeInvalid, format, args...).At(where)
	}
	switch {
	case !slug.MatchString(p.ID):
		return bad("id", "%.50q is no id of a provider: use up to 40 of a-z, 0-9 and -", p.ID)
	case p.Name == "" || len(p.Name) > 100:
		return bad("name", "a provider needs a name of 1 to 100 bytes")
	case p.ClientID == "" || len(p.ClientID) > 500:
		return bad("client_id", "a client id of 1 to 500 bytes is needed: the provider gives it when sinew is registered there")
	case p.GroupsClaim == "" || len(p.GroupsClaim) > 200:
		return bad("groups_claim", "the claim with the groups needs a name of 1 to 200 bytes")
	case p.LoginClaim == "" || len(p.LoginClaim) > 200:
		return bad("login_claim", "the claim with the login needs a name of 1 to 200 bytes")
	case len(p.Mappings) > maxMappings:
		return bad("mappings", "there are more than %d mappings", maxMappings)
	case len(p.Scopes) > maxScopes:
		return bad("scopes", "there are more than %d scopes", maxScopes)
	case p.DefaultRole != sinew.RoleNone && !p.DefaultRole.Allows(sinew.RoleViewer):
		return bad("default_role", "unknown role %q: use viewer, developer or admin, or none at all", p.DefaultRole)
	}
	for _, s := range p.Scopes {
		if !scope.MatchString(s) {
			return bad("scopes", "%.50q is no scope", s)
		}
	}
	for i, m := range p.Mappings {
		where := fmt.Sprintf("mappings[%d]", i)
		switch {
		case m.Group == "" || len(m.Group) > MaxGroup:
			return bad(where, "a group has a name of 1 to %d bytes", MaxGroup)
		case !m.Role.Allows(sinew.RoleViewer):
			return bad(where, "unknown role %q: use viewer, developer or admin", m.Role)
		case len(m.Application) > 200:
			return bad(where, "no application has a name this long")
		}
	}
	return checkIssuer(p.Issuer)
}

// checkIssuer refuses what a provider cannot be asked at safely.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(issuer) > 500 {
		return sinew.Errorf(sinew.CodeInvalid, "%.100q is no issuer", issuer).At("issuer").
			Hint("it is the address of the provider without /.well-known/..., like https://login.example.org/realms/main")
	}
	addr, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || (u.Hostname() != "localhost" && !addr.IsLoopback())) {
		return sinew.Errorf(sinew.CodeInvalid, "the issuer must be asked by https").At("issuer").Hint("http is for a provider on this machine only")
	}
	return nil
}

const providerColumns = `id, name, issuer, client_id, secret, scopes, groups_claim, login_claim, mappings, default_role, enabled, created_at, updated_at`

func scanProvider(row scanner) (p Provider, err error) {
	var scopes, mappings, role string
	var enabled, created, updated int64
	if err := row.Scan(&p.ID, &p.Name, &p.Issuer, &p.ClientID, &p.Secret, &scopes, &p.GroupsClaim, &p.LoginClaim, &mappings, &role, &enabled, &created, &updated); err != nil {
		return p, err
	}
	p.DefaultRole, p.Enabled, p.Created, p.Updated = sinew.Role(role), enabled != 0, fromMicros(created), fromMicros(updated)
	if err := json.Unmarshal([]byte(scopes), &p.Scopes); err != nil {
		return p, fmt.Errorf("scopes of provider %s: %w", p.ID, err)
	}
	if err := json.Unmarshal([]byte(mappings), &p.Mappings); err != nil {
		return p, fmt.Errorf("mappings of provider %s: %w", p.ID, err)
	}
	return p, nil
}

// providers reads those that fit a condition, by name.
func providers(ctx context.Context, from queryer, workspace int64, condition string, args ...any) (list []Provider, err error) {
	rows, err := from.QueryContext(ctx, `SELECT `+providerColumns+` FROM provider WHERE workspace_id = $1 `+condition,
		append([]any{workspace}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p, err := scanProvider(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Provider) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return list, rows.Err()
}

// SignInProviders lists the providers that people may sign in by now. Whoever
// asks need not be signed in; only names and addresses may be told.
func (db *DB) SignInProviders(ctx context.Context, workspace int64) ([]Provider, error) {
	list, err := providers(ctx, db.reader, workspace, `AND enabled = 1`)
	if err != nil {
		return nil, fmt.Errorf("list providers: %w", err)
	}
	return list, nil
}

// SignInProvider is one of [DB.SignInProviders].
func (db *DB) SignInProvider(ctx context.Context, workspace int64, id string) (Provider, error) {
	return db.oneProvider(ctx, workspace, id, ` AND enabled = 1`)
}

// Providers lists the providers of a workspace, for an administrator.
func (db *DB) Providers(ctx context.Context, r sinew.Reader) ([]Provider, error) {
	if r.Workspace == 0 || !r.All.Allows(sinew.RoleAdmin) {
		return nil, errDenied
	}
	list, err := providers(ctx, db.reader, r.Workspace, "")
	if err != nil {
		return nil, fmt.Errorf("list providers: %w", err)
	}
	return list, nil
}

// Provider finds a provider, for an administrator.
func (db *DB) Provider(ctx context.Context, r sinew.Reader, id string) (Provider, error) {
	if r.Workspace == 0 || !r.All.Allows(sinew.RoleAdmin) {
		return Provider{}, errDenied
	}
	return db.oneProvider(ctx, r.Workspace, id, "")
}

func (db *DB) oneProvider(ctx context.Context, workspace int64, id, condition string) (Provider, error) {
	list, err := providers(ctx, db.reader, workspace, `AND id = $2`+condition, id)
	if err != nil {
		return Provider{}, fmt.Errorf("find provider: %w", err)
	}
	if len(list) == 0 {
		return Provider{}, noProvider(id)
	}
	return list[0], nil
}

func noProvider(id string) error {
	return sinew.Errorf(sinew.CodeNotFound, "there is no sign-in provider %.50q", id)
}

// CreateProvider adds a provider.
func (db *DB) CreateProvider(ctx context.Context, r sinew.Reader, p Provider) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return db.administer(ctx, r, "create provider", func(t *tx) error {
		e, err := appendAccess(ctx, t, r, AccessChange{Op: OpProvider, Provider: p.ID, Settings: &p.ProviderSettings})
		if err != nil {
			return err
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM provider WHERE workspace_id = $1`, r.Workspace).Scan(&n); err != nil {
			return err
		}
		if n >= maxProviders {
			return sinew.Errorf(sinew.CodeConflict, "there are %d providers already", n).Hint("delete one first")
		}
		_, err = t.ExecContext(ctx, `
			INSERT INTO provider (workspace_id, id, name, issuer, client_id, secret, scopes, groups_claim, login_claim, mappings, default_role, enabled, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)`,
			r.Workspace, p.ID, p.Name, p.Issuer, p.ClientID, orEmptyBytes(p.Secret), jsonText(p.Scopes), p.GroupsClaim, p.LoginClaim, jsonText(p.Mappings),
			string(p.DefaultRole), oneOrZero(p.Enabled), micros(e.At))
		if t.db.dialect.duplicate(err) {
			return sinew.Errorf(sinew.CodeConflict, "there is a provider %q, or one with the issuer %s, already", p.ID, p.Issuer).
				Hint("change that one")
		}
		return err
	})
}

// UpdateProvider changes a provider. Its people keep their sessions, and what
// their groups give is found anew at once; when it is no longer enabled, both
// end. A nil Secret keeps the one that there is. The issuer stays: who somebody
// is depends on it.
func (db *DB) UpdateProvider(ctx context.Context, r sinew.Reader, p Provider) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return db.administer(ctx, r, "change provider", func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		list, err := providers(ctx, t, r.Workspace, `AND id = $2`, p.ID)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noProvider(p.ID)
		}
		if list[0].Issuer != p.Issuer {
			return sinew.Errorf(sinew.CodeConflict, "the issuer of a provider cannot change: its people would be others").At("issuer").
				Hint("make another provider, and delete this one")
		}
		secret := list[0].Secret
		if p.Secret != nil {
			secret = p.Secret
		}
		e, err := appendAccess(ctx, t, r, AccessChange{Op: OpProvider, Provider: p.ID, Settings: &p.ProviderSettings})
		if err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `
			UPDATE provider SET name = $3, client_id = $4, secret = $5, scopes = $6, groups_claim = $7, login_claim = $8, mappings = $9,
				default_role = $10, enabled = $11, updated_at = $12 WHERE workspace_id = $1 AND id = $2`,
			r.Workspace, p.ID, p.Name, p.ClientID, orEmptyBytes(secret), jsonText(p.Scopes), p.GroupsClaim, p.LoginClaim, jsonText(p.Mappings),
			string(p.DefaultRole), oneOrZero(p.Enabled), micros(e.At)); err != nil {
			return err
		}
		if !p.Enabled {
			return leaveProvider(ctx, t, r, &p)
		}
		return regroup(ctx, t, r, &p)
	})
}

// DeleteProvider removes a provider. The sessions that it began end, and so do
// the roles that its groups gave. Its people are known again if a provider with
// the same issuer comes back.
func (db *DB) DeleteProvider(ctx context.Context, r sinew.Reader, id string) error {
	return db.administer(ctx, r, "delete provider", func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		list, err := providers(ctx, t, r.Workspace, `AND id = $2`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noProvider(id)
		}
		if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpProviderGone, Provider: id}); err != nil {
			return err
		}
		if err := leaveProvider(ctx, t, r, &list[0]); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM provider WHERE workspace_id = $1 AND id = $2`, r.Workspace, id)
		return err
	})
}

// leaveProvider ends what came by a provider: sessions, and roles by groups.
func leaveProvider(ctx context.Context, t *tx, r sinew.Reader, p *Provider) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM session WHERE workspace_id = $1 AND provider = $2`, r.Workspace, p.ID); err != nil {
		return err
	}
	nothing := *p
	nothing.Mappings, nothing.DefaultRole = nil, sinew.RoleNone
	return regroup(ctx, t, r, &nothing)
}

// regroup finds anew what the groups of a provider's people give them.
func regroup(ctx context.Context, t *tx, r sinew.Reader, p *Provider) error {
	type member struct {
		pseudonym string
		groups    []string
	}
	rows, err := t.QueryContext(ctx, `SELECT pseudonym, member_of FROM identity WHERE workspace_id = $1 AND issuer = $2 ORDER BY pseudonym`, r.Workspace, p.Issuer)
	if err != nil {
		return err
	}
	defer rows.Close()
	var members []member
	for rows.Next() {
		var m member
		var text string
		if err := rows.Scan(&m.pseudonym, &text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &m.groups); err != nil {
			return fmt.Errorf("groups of %s: %w", m.pseudonym, err)
		}
		members = append(members, m)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	units, err := unitIDs(ctx, t, r.Workspace)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := setGroupRoles(ctx, t, r, m.pseudonym, p, units, m.groups); err != nil {
			return err
		}
	}
	return nil
}

func jsonText(v any) string {
	b, _ := json.Marshal(v) // text and roles always encode
	if string(b) == "null" {
		return "[]"
	}
	return string(b)
}

func orEmptyBytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func oneOrZero(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// settingsText is how the verification of access compares settings.
func settingsText(s *ProviderSettings) string {
	b, _ := json.Marshal(s) // as above; empty lists are left out
	return string(b)
}
