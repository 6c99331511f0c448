package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// accessState is who may do what: each right in words, as the log says or as the
// tables do.
type accessState map[string]string

func rightAll(pseudonym string) string    { return "role of " + pseudonym }
func rightSignIn(pseudonym string) string { return "disabled " + pseudonym }
func rightOn(pseudonym string, unit int64) string {
	return fmt.Sprintf("grant of %s on unit %d", pseudonym, unit)
}

func rightGroups(pseudonym string) string { return "roles by groups of " + pseudonym }
func rightProvider(id string) string      { return "sign-in provider " + id }

// groupsText is the roles that groups give, in order of the units.
func groupsText(roles map[int64]sinew.Role) string {
	var parts []string
	for _, unit := range slices.Sorted(maps.Keys(roles)) {
		parts = append(parts, fmt.Sprintf("%d=%s", unit, roles[unit]))
	}
	return strings.Join(parts, " ")
}

func rightToken(pseudonym string, id int64) string {
	return fmt.Sprintf("token of %s number %d", pseudonym, id)
}

func tokenText(role sinew.Role, hash string, units string, expires int64, revoked bool) string {
	return fmt.Sprintf("%s %s %q %d revoked %t", role, hash, units, expires, revoked)
}

// apply replays an access entry.
func (s accessState) apply(payload []byte) error {
	var c AccessChange
	if err := json.Unmarshal(payload, &c); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	switch c.Op {
	case OpPrincipal, OpRole:
		s[rightAll(c.Principal)] = string(c.Role)
	case OpGrant:
		if c.Unit == nil {
			return fmt.Errorf("the grant names no unit")
		}
		if c.Role == sinew.RoleNone {
			delete(s, rightOn(c.Principal, *c.Unit))
			return nil
		}
		s[rightOn(c.Principal, *c.Unit)] = string(c.Role)
	case OpDisable:
		s[rightSignIn(c.Principal)] = "yes"
	case OpEnable:
		delete(s, rightSignIn(c.Principal))
	case OpErase:
		for right := range s {
			if strings.Contains(right, " "+c.Principal+" ") || strings.HasSuffix(right, " "+c.Principal) {
				delete(s, right)
			}
		}
	case OpToken:
		units := ""
		if c.Limited {
			units = unitsText(append([]int64{}, c.Units...))
		}
		s[rightToken(c.Principal, c.Token)] = tokenText(c.Role, c.Hash, units, c.Expires, false)
	case OpRevoke:
		right := rightToken(c.Principal, c.Token)
		s[right] = strings.TrimSuffix(s[right], "false") + "true"
	case OpGroups:
		roles := map[int64]sinew.Role{}
		if c.Role != sinew.RoleNone {
			roles[everyUnit] = c.Role
		}
		for _, g := range c.Groups {
			roles[g.Unit] = g.Role
		}
		if delete(s, rightGroups(c.Principal)); len(roles) > 0 {
			s[rightGroups(c.Principal)] = groupsText(roles)
		}
	case OpProvider:
		if c.Settings == nil {
			return fmt.Errorf("the provider has no settings")
		}
		s[rightProvider(c.Provider)] = settingsText(c.Settings)
	case OpProviderGone:
		delete(s, rightProvider(c.Provider))
	case OpPassword, OpInvite, OpRedeem, OpSession, OpSessionEnd, OpRefused:
	default:
		return fmt.Errorf("unknown access operation %q", c.Op)
	}
	return nil
}

// accessNow reads what the tables say, and how long the log is then.
func (db *DB) accessNow(ctx context.Context, workspace int64) (s accessState, end int64, err error) {
	s = accessState{}
	err = db.read(ctx, func(t *tx) error {
		if end, _, err = head(ctx, t, workspace); err != nil {
			return err
		}
		list, err := principals(ctx, t, workspace, "", nil)
		if err != nil {
			return err
		}
		for _, p := range list {
			s[rightAll(p.Pseudonym)] = string(p.All)
			if !p.Disabled.IsZero() {
				s[rightSignIn(p.Pseudonym)] = "yes"
			}
		}
		err = eachGrant(ctx, t, "access_grant", workspace, "", func(pseudonym string, unit int64, role sinew.Role) {
			s[rightOn(pseudonym, unit)] = string(role)
		})
		if err != nil {
			return err
		}
		byGroups := map[string]map[int64]sinew.Role{}
		err = eachGrant(ctx, t, "group_grant", workspace, "", func(pseudonym string, unit int64, role sinew.Role) {
			if byGroups[pseudonym] == nil {
				byGroups[pseudonym] = map[int64]sinew.Role{}
			}
			byGroups[pseudonym][unit] = role
		})
		if err != nil {
			return err
		}
		for pseudonym, roles := range byGroups {
			s[rightGroups(pseudonym)] = groupsText(roles)
		}
		known, err := providers(ctx, t, workspace, "")
		if err != nil {
			return err
		}
		for _, p := range known {
			s[rightProvider(p.ID)] = settingsText(&p.ProviderSettings)
		}
		tokens, err := t.QueryContext(ctx, `
			SELECT pseudonym, id, role, hash, units, expires_at, COALESCE(revoked_at, 0) FROM token WHERE workspace_id = $1`, workspace)
		if err != nil {
			return err
		}
		defer tokens.Close()
		for tokens.Next() {
			var pseudonym, role, units string
			var id, expires, revoked int64
			var hash []byte
			if err := tokens.Scan(&pseudonym, &id, &role, &hash, &units, &expires, &revoked); err != nil {
				return err
			}
			s[rightToken(pseudonym, id)] = tokenText(sinew.Role(role), hex.EncodeToString(hash), units, expires, revoked != 0)
		}
		return tokens.Err()
	})
	return s, end, err
}

// differences says what the tables have otherwise than the log.
func (s accessState) differences(now accessState) (list []string) {
	for right, want := range s {
		if got, ok := now[right]; !ok {
			list = append(list, fmt.Sprintf("the %s is missing: the log says %q", right, want))
		} else if got != want {
			list = append(list, fmt.Sprintf("the %s is %q: the log says %q", right, got, want))
		}
	}
	for right, got := range now {
		if _, ok := s[right]; !ok {
			list = append(list, fmt.Sprintf("the %s is %q: the log does not know of it", right, got))
		}
	}
	slices.Sort(list)
	return list
}

// sortProblems brings the first bad entry to the front; what belongs to no entry
// comes last.
func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		if (a.Seq == 0) != (b.Seq == 0) {
			return cmp.Compare(b.Seq, a.Seq)
		}
		return cmp.Compare(a.Seq, b.Seq)
	})
}
