package cli

import (
	"bufio"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type tokenCmd struct {
	List   tokenListCmd   `cmd:"" default:"1" help:"List tokens (the default)."`
	Create tokenCreateCmd `cmd:"" help:"Make a token. Its secret is shown once."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token."`
	SignIn tokenSignInCmd `cmd:"" name:"signin" help:"Exchange login and password for a token."`
}

type tokenListCmd struct{}

func (tokenListCmd) Run(s *session) error {
	api, err := s.api("token")
	if err != nil {
		return err
	}
	t := table{head: []string{"ID", "ROLE", "EXPIRES", "LAST USED", "REVOKED", "NAME"}}
	err = api.Tokens(s.ctx, func(k client.Token) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, k)
		}
		t.add(k.ID, string(k.Role), day(k.Expires), day(k.Used), day(k.Revoked), k.Name)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type tokenCreateCmd struct {
	Name string     `arg:"" help:"What it is for."`
	Role sinew.Role `help:"The most it may do: viewer, developer, admin." enum:"viewer,developer,admin" default:"developer"`
	Apps []string   `name:"app" help:"Limit it to these applications." placeholder:"NAME"`
	Days int        `help:"Days until it expires, at most 365." default:"90"`
}

func (c *tokenCreateCmd) Run(s *session) error {
	api, err := s.api("token")
	if err != nil {
		return err
	}
	k, err := api.CreateToken(s.ctx, client.NewToken{Name: c.Name, Role: c.Role, Applications: c.Apps, Days: c.Days})
	if err != nil {
		return err
	}
	return printToken(s, k)
}

func printToken(s *session, k *client.Token) error {
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, k)
	}
	s.printf("%s\n", k.Secret)
	s.hint("token %s, role %s, until %s. It is shown only now: export SINEW_TOKEN=...", k.ID, k.Role, day(k.Expires))
	return nil
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"The token's id."`
}

func (c *tokenRevokeCmd) Run(s *session) error {
	api, err := s.api("token")
	if err != nil {
		return err
	}
	return api.RevokeToken(s.ctx, c.ID)
}

type tokenSignInCmd struct {
	Login string `arg:"" help:"Login name."`
}

func (c *tokenSignInCmd) Run(s *session) error {
	if s.opts.Server == "" {
		return sinew.Errorf(sinew.CodeInvalid, "signing in needs a server").Hint("name it with --server")
	}
	password, err := s.password("Password: ")
	if err != nil {
		return err
	}
	api, err := client.New(s.opts.Server, "", nil)
	if err != nil {
		return err
	}
	k, err := api.SignIn(s.ctx, c.Login, password)
	if err != nil {
		return err
	}
	return printToken(s, k)
}

type userCmd struct {
	List    userListCmd    `cmd:"" default:"1" help:"List users (the default)."`
	Create  userCreateCmd  `cmd:"" help:"Make a user; the password is asked for, or read from standard input."`
	Invite  userInviteCmd  `cmd:"" help:"Make a one-time link for a new user."`
	Join    userJoinCmd    `cmd:"" help:"Use a one-time link: choose login and password."`
	Role    userRoleCmd    `cmd:"" help:"Set a user's role on one application, or on all."`
	Disable userDisableCmd `cmd:"" help:"End a user's access; the history stays."`
	Erase   userEraseCmd   `cmd:"" help:"Remove a user's personal attributes; the log keeps a pseudonym."`
}

type userListCmd struct{}

func (userListCmd) Run(s *session) error {
	api, err := s.api("user")
	if err != nil {
		return err
	}
	t := table{head: []string{"ID", "LOGIN", "NAME", "ROLE", "DISABLED", "APPLICATIONS"}}
	err = api.Users(s.ctx, func(u client.User) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, u)
		}
		var grants []string
		for _, name := range slices.Sorted(maps.Keys(u.Grants)) {
			grants = append(grants, name+":"+string(u.Grants[name]))
		}
		t.add(u.ID, u.Login, u.Name, string(u.Role), day(u.Disabled), strings.Join(grants, " "))
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type userCreateCmd struct {
	Login string     `arg:"" help:"Login name."`
	Name  string     `help:"Full name." placeholder:"TEXT"`
	Email string     `help:"E-mail address." placeholder:"ADDRESS"`
	Role  sinew.Role `help:"Role on every application; leave it out and use sinew user role for single ones." enum:"viewer,developer,admin," default:""`
}

func (c *userCreateCmd) Run(s *session) error {
	password, err := s.password("Password for " + c.Login + ": ")
	if err != nil {
		return err
	}
	api, err := s.api("user")
	if err != nil {
		return err
	}
	u, err := api.CreateUser(s.ctx, client.NewUser{Login: c.Login, Password: password, Name: c.Name, Email: c.Email, Role: c.Role})
	if err != nil {
		return err
	}
	return printUser(s, u)
}

func printUser(s *session, u *client.User) error {
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, u)
	}
	s.printf("%s  %s\n", u.ID, u.Login)
	return nil
}

type userInviteCmd struct {
	Role sinew.Role `help:"Role on every application." enum:"viewer,developer,admin" default:"viewer"`
}

func (c *userInviteCmd) Run(s *session) error {
	api, err := s.api("user")
	if err != nil {
		return err
	}
	inv, err := api.Invite(s.ctx, c.Role)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, inv)
	}
	s.printf("%s\n", inv.Secret)
	s.hint("good once, until %s: sinew user join --server URL %s --login NAME", day(inv.Expires), inv.Secret)
	return nil
}

type userJoinCmd struct {
	Link  string `arg:"" help:"The one-time link, or its secret."`
	Login string `required:"" help:"Login name to use from now on." placeholder:"NAME"`
	Name  string `help:"Full name." placeholder:"TEXT"`
	Email string `help:"E-mail address." placeholder:"ADDRESS"`
}

func (c *userJoinCmd) Run(s *session) error {
	server, secret := s.opts.Server, c.Link
	if u, err := url.Parse(c.Link); err == nil && u.Host != "" {
		server, secret = u.Scheme+"://"+u.Host, path.Base(u.Path)
	}
	if server == "" {
		return sinew.Errorf(sinew.CodeInvalid, "the link names no server").Hint("give the whole link, or name the server with --server")
	}
	password, err := s.password("Choose a password: ")
	if err != nil {
		return err
	}
	api, err := client.New(server, "", nil)
	if err != nil {
		return err
	}
	u, err := api.Redeem(s.ctx, secret, client.NewUser{Login: c.Login, Password: password, Name: c.Name, Email: c.Email})
	if err != nil {
		return err
	}
	if err := printUser(s, u); err != nil {
		return err
	}
	s.hint("next: sinew token signin %s --server %s", c.Login, server)
	return nil
}

type userRoleCmd struct {
	User string     `arg:"" help:"The user's id."`
	Role sinew.Role `arg:"" enum:"viewer,developer,admin,none" help:"viewer, developer, admin or none."`
	App  string     `help:"On this application; on every one when left out." placeholder:"NAME"`
}

func (c *userRoleCmd) Run(s *session) error {
	api, err := s.api("user")
	if err != nil {
		return err
	}
	role := c.Role
	if role == "none" {
		role = sinew.RoleNone
	}
	return api.Grant(s.ctx, c.User, c.App, role)
}

type userDisableCmd struct {
	User string `arg:"" help:"The user's id."`
}

func (c *userDisableCmd) Run(s *session) error {
	api, err := s.api("user")
	if err != nil {
		return err
	}
	return api.DisableUser(s.ctx, c.User)
}

type userEraseCmd struct {
	User string `arg:"" help:"The user's id."`
}

func (c *userEraseCmd) Run(s *session) error {
	api, err := s.api("user")
	if err != nil {
		return err
	}
	return api.EraseUser(s.ctx, c.User)
}

// password asks on a terminal without echo, and else takes a line of standard
// input, so that it never stands among the arguments.
func (s *session) password(prompt string) (string, error) {
	if f, ok := s.env.Stdin.(*os.File); ok && isTerminal(f) {
		_, _ = fmt.Fprint(s.env.Stderr, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		_, _ = fmt.Fprintln(s.env.Stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(b), nil
	}
	line, err := bufio.NewReader(s.env.Stdin).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", sinew.Errorf(sinew.CodeInvalid, "no password was given: %w", err).Hint("type it at the prompt, or send it on standard input")
	}
	return line, nil
}
