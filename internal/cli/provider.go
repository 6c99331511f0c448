package cli

import (
	"fmt"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type providerCmd struct {
	List   providerListCmd   `cmd:"" default:"1" help:"List the providers (the default)."`
	Set    providerSetCmd    `cmd:"" help:"Add a provider, or change what is named of one."`
	Test   providerTestCmd   `cmd:"" help:"Ask a provider whether people can sign in by it."`
	Delete providerDeleteCmd `cmd:"" help:"Delete a provider; its sessions end, and the roles that its groups gave."`
}

func (providerCmd) Help() string {
	return `Example:
  sinew provider set work --issuer https://login.example.org --client-id sinew --secret \
    --scope profile --scope groups --group security=admin --group shop-devs=developer@shop
  sinew provider test work

The address to register with the provider is SERVER/auth/ID/callback, and SERVER/signin as the one after sign-out.`
}

type providerListCmd struct{}

func (providerListCmd) Run(s *session) error {
	api, err := s.api("provider")
	if err != nil {
		return err
	}
	t := table{head: []string{"ID", "NAME", "ENABLED", "SECRET", "ISSUER", "CLIENT", "GROUPS"}}
	err = api.Providers(s.ctx, func(p client.Provider) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, providerLine(p))
		}
		var groups []string
		for _, m := range p.Mappings {
			groups = append(groups, groupText(m))
		}
		t.add(p.ID, p.Name, yes(p.Enabled), yes(p.HasSecret), p.Issuer, p.ClientID, strings.Join(groups, " "))
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// providerLine is a provider as a line of JSON.
func providerLine(p client.Provider) any {
	return struct {
		client.Provider
		HasSecret bool   `json:"has_secret"`
		Callback  string `json:"callback,omitempty"`
	}{p, p.HasSecret, p.Callback}
}

// groupText is a mapping as it is typed.
func groupText(m client.GroupRole) string {
	text := m.Group + "=" + string(m.Role)
	if m.Application != "" {
		text += "@" + m.Application
	}
	return text
}

type providerSetCmd struct {
	ID          string      `arg:"" help:"Its id, in addresses: a-z, 0-9 and -."`
	Name        string      `help:"What the button says; the id if not given." placeholder:"TEXT"`
	Issuer      string      `help:"Its address, exactly as it calls itself." placeholder:"URL"`
	ClientID    string      `name:"client-id" help:"Our name there." placeholder:"ID"`
	Secret      bool        `help:"Ask for the client secret, or read it from standard input."`
	Scopes      []string    `name:"scope" help:"Ask for this scope beside openid." placeholder:"SCOPE"`
	GroupsClaim string      `name:"groups-claim" help:"Claim with the groups." placeholder:"NAME"`
	LoginClaim  string      `name:"login-claim" help:"Claim to show as login." placeholder:"NAME"`
	Groups      []string    `name:"group" sep:"none" help:"What a group may do: GROUP=ROLE, or GROUP=ROLE@APPLICATION. They replace those before." placeholder:"GROUP=ROLE"`
	DefaultRole *sinew.Role `name:"default-role" help:"Role of whoever signs in, on every application: viewer, developer, admin or none." placeholder:"ROLE"`
	Enable      bool        `help:"Let people sign in by it, as a new one does." xor:"enable"`
	Disable     bool        `help:"Let nobody sign in by it; its sessions end, and the roles that its groups gave." xor:"enable"`
}

func (c *providerSetCmd) Run(s *session) error {
	api, err := s.api("provider")
	if err != nil {
		return err
	}
	p, err := api.Provider(s.ctx, c.ID)
	create := sinew.CodeOf(err) == sinew.CodeNotFound
	if create {
		p, err = &client.Provider{ID: c.ID, Name: c.ID, Enabled: true}, nil
	}
	if err != nil {
		return err
	}
	if err := c.change(p); err != nil {
		return err
	}
	if c.Secret {
		secret, err := s.password("Client secret: ")
		if err != nil {
			return err
		}
		p.Secret = &secret
	}
	save := api.ChangeProvider
	if create {
		save = api.CreateProvider
	}
	if p, err = save(s.ctx, *p); err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, providerLine(*p))
	}
	s.printf("%s\n", p.ID)
	s.hint("next: sinew provider test %s; register SERVER/auth/%s/callback with the provider", p.ID, p.ID)
	return nil
}

// change puts what was named into p.
func (c *providerSetCmd) change(p *client.Provider) error {
	for _, f := range []struct {
		to   *string
		from string
	}{{&p.Name, c.Name}, {&p.Issuer, c.Issuer}, {&p.ClientID, c.ClientID}, {&p.GroupsClaim, c.GroupsClaim}, {&p.LoginClaim, c.LoginClaim}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	p.Enabled = (p.Enabled || c.Enable) && !c.Disable
	if c.Scopes != nil {
		p.Scopes = c.Scopes
	}
	if c.DefaultRole != nil {
		p.DefaultRole = *c.DefaultRole
		if p.DefaultRole == "none" {
			p.DefaultRole = sinew.RoleNone
		}
	}
	if c.Groups == nil {
		return nil
	}
	p.Mappings = nil
	for _, text := range c.Groups {
		m, err := parseGroup(text)
		if err != nil {
			return err
		}
		p.Mappings = append(p.Mappings, m)
	}
	return nil
}

// parseGroup reads GROUP=ROLE@APPLICATION. A group may have = and @ in its name;
// the last = counts, and the first @ after it.
func parseGroup(text string) (client.GroupRole, error) {
	at := strings.LastIndexByte(text, '=')
	if at <= 0 {
		return client.GroupRole{}, sinew.Errorf(sinew.CodeInvalid, "%.100q says not what a group may do", text).
			Hint("write GROUP=ROLE, or GROUP=ROLE@APPLICATION, like security=admin or shop-devs=developer@shop")
	}
	role, application, _ := strings.Cut(text[at+1:], "@")
	return client.GroupRole{Group: text[:at], Role: sinew.Role(role), Application: application}, nil
}

type providerTestCmd struct {
	ID string `arg:"" help:"The provider's id."`
}

func (c *providerTestCmd) Run(s *session) error {
	api, err := s.api("provider")
	if err != nil {
		return err
	}
	test, err := api.TestProvider(s.ctx, c.ID)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		if err := writeJSON(s.env.Stdout, test); err != nil {
			return err
		}
	} else {
		t := table{head: []string{"WHAT", "STATUS", "DETAIL"}}
		for _, check := range test.Checks {
			t.add(check.What, check.Status, check.Detail)
		}
		if err := t.write(s.env.Stdout); err != nil {
			return err
		}
	}
	if !test.OK {
		return &gateError{msg: fmt.Sprintf("nobody can sign in by %s yet", c.ID)}
	}
	return nil
}

type providerDeleteCmd struct {
	ID string `arg:"" help:"The provider's id."`
}

func (c *providerDeleteCmd) Run(s *session) error {
	api, err := s.api("provider")
	if err != nil {
		return err
	}
	return api.DeleteProvider(s.ctx, c.ID)
}
