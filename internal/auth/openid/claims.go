package openid

import (
	"context"
	"strings"
	"unicode/utf8"
)

// Claims are what a provider says of a person.
type Claims struct {
	Subject string

	all  map[string]any
	more func(context.Context) (map[string]any, error) // from the userinfo endpoint, asked when something is missing
}

// Person is what we take from claims.
type Person struct {
	Login, Name, Email string // to show; cut to what is sensible
	Groups             []string
	// HasGroups says whether the provider said anything of groups: "none" and
	// "not told" are told apart in the log.
	HasGroups bool
}

// Bounds of what is taken.
const (
	maxShown  = 200  // bytes of a login or name
	maxEmail  = 320  // bytes, RFC 3696
	maxGroups = 2000 // of one person
	maxGroup  = 256  // bytes
)

// Person reads claims: the login from one, the groups from another, which is a
// list of texts or one text. What the ID token does not say is asked of the
// userinfo endpoint. A name with dots also finds claims in claims, like
// realm_access.roles.
func (c *Claims) Person(ctx context.Context, loginClaim, groupsClaim string) (Person, error) {
	if lookup(c.all, loginClaim) == nil || lookup(c.all, groupsClaim) == nil {
		more, err := c.more(ctx)
		if err != nil {
			return Person{}, err
		}
		for name, value := range more {
			if _, said := c.all[name]; !said {
				c.all[name] = value
			}
		}
	}
	p := Person{Name: c.text("name", maxShown), Email: c.text("email", maxEmail)}
	for _, claim := range []string{loginClaim, "preferred_username", "email", "sub"} {
		if p.Login = c.text(claim, maxShown); p.Login != "" {
			break
		}
	}
	value := lookup(c.all, groupsClaim)
	p.HasGroups = value != nil
	switch v := value.(type) {
	case nil:
	case string:
		if v != "" {
			p.Groups = []string{v}
		}
	case []any:
		for _, item := range v {
			group, ok := item.(string)
			if !ok {
				return Person{}, fail(FailClaims, "the claim %q has something else than texts", groupsClaim)
			}
			p.Groups = append(p.Groups, group)
		}
	default:
		return Person{}, fail(FailClaims, "the claim %q is neither a list nor a text", groupsClaim)
	}
	if len(p.Groups) > maxGroups {
		return Person{}, fail(FailClaims, "there are %d groups, more than %d: let the provider send those that matter", len(p.Groups), maxGroups)
	}
	kept := p.Groups[:0]
	for _, group := range p.Groups {
		if group != "" && len(group) <= maxGroup && !strings.ContainsRune(group, 0) { // no mapping names the others
			kept = append(kept, group)
		}
	}
	p.Groups = kept
	return p, nil
}

// lookup finds a claim by its name, or by a path of names.
func lookup(all map[string]any, name string) any {
	if v, ok := all[name]; ok {
		return v
	}
	first, rest, dotted := strings.Cut(name, ".")
	inner, ok := all[first].(map[string]any)
	if !dotted || !ok {
		return nil
	}
	return lookup(inner, rest)
}

// text is a claim to show: without control characters, and not too long.
func (c *Claims) text(name string, limit int) string {
	s, _ := lookup(c.all, name).(string)
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
