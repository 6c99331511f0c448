package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/sinewsec/sinew/examples"
	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type serveCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" env:"SINEW_LISTEN" placeholder:"HOST:PORT"`
}

func (serveCmd) Help() string {
	return `Without --database the file sinew.db in the current directory is used. Until a certificate can be given,
put a TLS proxy in front of any address that is not loopback.`
}

func (c *serveCmd) Run(s *session) error {
	if s.opts.Database == "" {
		s.opts.Database = "sinew.db"
	}
	conf := s.config("serve")
	conf.Logger = slog.New(slog.NewJSONHandler(s.env.Stderr, nil))
	a, err := app.Open(s.ctx, conf)
	if err != nil {
		return err
	}
	s.app = a
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			s.hint("listening on %s without TLS: tokens cross the network in clear unless a proxy encrypts", c.Listen)
		}
	}
	return a.Serve(s.ctx, c.Listen, func(st app.Started) {
		if s.opts.JSON {
			_ = writeJSON(s.env.Stdout, map[string]string{"schema": "serve/v1", "url": st.URL, "invite": st.Invite})
			return
		}
		s.printf("sinew listens on %s\n", st.URL)
		if st.Invite != "" {
			s.printf("nobody can sign in yet; this link makes the first administrator, once, within 24 hours:\n  sinew user join %s --login NAME\n", st.Invite)
		}
	})
}

type demoCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Keep   string `help:"Keep the demo's database in this directory instead of a temporary one." placeholder:"DIR"`
	Load   bool   `help:"Only load the demo and end; needs --keep."`
}

// demoReport is a line of the demo's list of reports.
type demoReport struct {
	Report   string    `json:"report"`
	App      string    `json:"app"`
	Service  string    `json:"service"`
	Target   string    `json:"target"`
	Ref      string    `json:"ref"`
	Label    string    `json:"label"`
	Commit   string    `json:"commit"`
	At       time.Time `json:"at"`
	Coverage string    `json:"coverage"`
	Paths    []string  `json:"paths"`
	Base     string    `json:"base"`
	Root     string    `json:"root"`
}

func (c *demoCmd) Run(s *session) error {
	if c.Load && c.Keep == "" {
		return sinew.Errorf(sinew.CodeInvalid, "loading the demo into a directory that goes away is of no use").Hint("name one with --keep")
	}
	dir := c.Keep
	if dir == "" {
		tmp, err := os.MkdirTemp("", "sinew-demo-")
		if err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		dir = tmp
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	s.opts.Database, s.opts.Server, s.opts.KeyFile, s.opts.Workspace = filepath.Join(dir, "demo.db"), "", "", "demo"
	a, err := s.open("demo")
	if err != nil {
		return err
	}
	defer func() { _ = s.close(); s.app = nil }() // before the directory goes
	api, err := a.OperatorClient(s.ctx)
	if err != nil {
		return err
	}
	s.hint("loading the demo shop: reports that real scanners wrote")
	if err := loadDemo(s.ctx, s, api); err != nil {
		return err
	}
	if c.Load {
		return nil
	}
	token, err := api.CreateToken(s.ctx, client.NewToken{Name: "demo", Role: sinew.RoleAdmin, Days: 7})
	if err != nil {
		return err
	}
	return a.Serve(s.ctx, c.Listen, func(st app.Started) {
		s.printf(`
The demo runs at %[1]s (API: %[1]s/api/v1/openapi.json). Sign in from another terminal with

  export SINEW_SERVER=%[1]s SINEW_TOKEN=%[2]s
  sinew findings severity:critical is:open
  sinew findings is:fixed

or make yourself a user: sinew user join %[3]s --login NAME
Ctrl-C ends it.
`, st.URL, token.Secret, st.Invite)
	})
}

// loadDemo sets the demo's rules and imports its reports in the order of the
// story.
func loadDemo(ctx context.Context, s *session, api *client.Client) error {
	text, err := fs.ReadFile(examples.Shop, "shop/demo.json")
	if err != nil {
		return fmt.Errorf("read the demo: %w", err)
	}
	var list []demoReport
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("read the demo: %w", err)
	}
	have := 0
	if err := api.Streams(ctx, func(client.Stream) error { have++; return nil }); err != nil {
		return err
	}
	if have > 0 {
		s.hint("it is there already")
		return nil
	}
	rules, err := fs.ReadFile(examples.Shop, "shop/rules.yaml")
	if err != nil {
		return fmt.Errorf("read the demo's rules: %w", err)
	}
	if _, err := api.SetRules(ctx, string(rules), false); err != nil {
		return fmt.Errorf("set the demo's rules: %w", err)
	}
	for _, r := range list {
		f, err := examples.Shop.Open("shop/" + r.Report)
		if err != nil {
			return fmt.Errorf("open the demo's report: %w", err)
		}
		imp, err := api.Import(ctx, client.Upload{
			Name: path.Base(r.Report), Application: r.App, Service: r.Service, Target: r.Target, Ref: r.Ref, Label: r.Label,
			Commit: r.Commit, At: r.At, Coverage: sinew.CoverageStatus(r.Coverage), Paths: r.Paths,
			PathPrefix: r.Base, StripPrefix: r.Root,
		}, f, true)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("import %s: %w", r.Report, err)
		}
		imp.Report = r.Report[len("reports/"):]
		if err := printImport(s, imp, 30); err != nil {
			return err
		}
	}
	return nil
}
