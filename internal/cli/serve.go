package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sinewsec/sinew/examples"
	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type serveCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" env:"SINEW_LISTEN" placeholder:"HOST:PORT"`

	frontFlags
	limitFlags
}

// limitFlags bound what senders may take of the server.
type limitFlags struct {
	MaxUpload byteSize      `help:"Refuse reports that are larger: bytes, or 500MB, 8GiB." default:"8GiB" env:"SINEW_MAX_UPLOAD" placeholder:"SIZE" group:"Limits"`
	Imports   int           `help:"Reports to take in at a time; each may take the memory of a parser." default:"2" env:"SINEW_IMPORTS" placeholder:"N" group:"Limits"`
	Idle      time.Duration `name:"idle-timeout" help:"End a request that moves no byte for so long." default:"30s" env:"SINEW_IDLE_TIMEOUT" placeholder:"DURATION" group:"Limits"`
}

func (f limitFlags) limits() (app.Limits, error) {
	if f.Imports < 1 {
		return app.Limits{}, sinew.Errorf(sinew.CodeInvalid, "a server that takes in %d reports at a time takes in none", f.Imports).Hint("use --imports 1 or more")
	}
	l := app.Limits{MaxUpload: int64(f.MaxUpload), Imports: f.Imports, Idle: f.Idle}
	return l, l.Check()
}

// byteSize is a number of bytes, written with a unit or without.
type byteSize int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *byteSize) UnmarshalText(text []byte) error {
	word := strings.ToUpper(strings.TrimSpace(string(text)))
	digits := strings.TrimRight(word, "BIKMGT")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, known := map[string]int64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	}[word[len(digits):]]
	if err != nil || !known || n < 1 || n > math.MaxInt64/unit {
		return sinew.Errorf(sinew.CodeInvalid, "%q is no size", text).Hint("write bytes, or for example 500MB or 8GiB")
	}
	*b = byteSize(n * unit)
	return nil
}

func (serveCmd) Help() string {
	return `Without --database the file sinew.db in the current directory is used. On an address that is not loopback
the server wants TLS: a certificate (--tls-cert, --tls-key, read again when the files change or at SIGHUP), or a
proxy that ends TLS (--proxy).`
}

// frontFlags say how the server is reached.
type frontFlags struct {
	TLSCert      string   `name:"tls-cert" help:"Certificate to serve https with, PEM; those that signed it follow in the file." env:"SINEW_TLS_CERT" placeholder:"FILE" group:"Network"`
	TLSKey       string   `name:"tls-key" help:"Key of the certificate, PEM." env:"SINEW_TLS_KEY" placeholder:"FILE" group:"Network"`
	Proxy        []string `help:"Address or network of a proxy before the server; what it says of the sender (X-Forwarded-For, -Proto) is believed." env:"SINEW_PROXY" placeholder:"CIDR" group:"Network"`
	URL          string   `name:"url" help:"Where browsers find the server, if not at the address that each request names." env:"SINEW_URL" placeholder:"URL" group:"Network"`
	InsecureHTTP bool     `name:"insecure-http" help:"Serve plain http on an address that is not loopback." env:"SINEW_INSECURE_HTTP" group:"Network"`
}

func (f frontFlags) front() (app.Front, error) {
	proxies, err := app.ParseProxies(f.Proxy)
	return app.Front{CertFile: f.TLSCert, KeyFile: f.TLSKey, Proxies: proxies, URL: f.URL, InsecureHTTP: f.InsecureHTTP}, err
}

func (c *serveCmd) Run(s *session) error {
	if s.opts.Database == "" {
		s.opts.Database = "sinew.db"
	}
	conf := s.config("serve")
	conf.Logger = slog.New(slog.NewJSONHandler(s.env.Stderr, nil))
	var err error
	if conf.Front, err = c.front(); err != nil {
		return err
	}
	if conf.Limits, err = c.limits(); err != nil {
		return err
	}
	if err := conf.Front.Check(c.Listen); err != nil { // before anything is made
		return err
	}
	a, err := app.Open(s.ctx, conf)
	if err != nil {
		return err
	}
	s.app = a
	return a.Serve(s.ctx, c.Listen, func(st app.Started) {
		if s.opts.JSON {
			_ = writeJSON(s.env.Stdout, map[string]string{"schema": "serve/v1", "url": st.URL, "invite": st.Invite})
			return
		}
		s.printf("sinew listens on %s\n", st.URL)
		if st.Invite != "" {
			s.printf("nobody can sign in yet. Open this link to become the first administrator; it works once, within 24 hours:\n  %[1]s\n"+
				"or in a terminal: sinew user join %[1]s --login NAME\n", st.Invite)
		}
	})
}

type demoCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Keep   string `help:"Keep the demo's database in this directory instead of a temporary one." placeholder:"DIR"`
	Load   bool   `help:"Only load the demo and end; needs --keep."`

	frontFlags
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
	front, err := c.front()
	if err != nil {
		return err
	}
	if err := front.Check(c.Listen); err != nil {
		return err
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
	a.Config.Front = front
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
		s.printf("\nThe demo runs at %s.", st.URL)
		if st.Invite != "" {
			s.printf(" Open this link, choose a login and a password, and you are in:\n\n  %s\n", st.Invite)
		}
		s.printf(`
From another terminal:

  export SINEW_SERVER=%[1]s SINEW_TOKEN=%[2]s
  sinew findings severity:critical is:open
  sinew findings is:fixed

The API is described in %[1]s/api/v1/openapi.json. Ctrl-C ends it.
`, st.URL, token.Secret)
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
