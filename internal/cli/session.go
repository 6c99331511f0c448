package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

// session is one command's connection to the product.
type session struct {
	ctx  context.Context
	env  Env
	opts *commands
	app  *app.App // set once a database is open
}

func (s *session) close() error {
	if s.app == nil {
		return nil
	}
	return s.app.Close()
}

// api connects: to --server, or to the handlers inside this process on
// --database, as the operator.
func (s *session) api(purpose string) (*client.Client, error) {
	o := s.opts
	switch {
	case o.Server != "" && o.Database != "":
		return nil, sinew.Errorf(sinew.CodeInvalid, "both a server (%s) and a database (%s) are named", o.Server, o.Database).
			Hint("name one: --server and --database may also come from SINEW_SERVER and SINEW_DATABASE")
	case o.Server != "":
		return client.New(o.Server, o.Token, nil)
	}
	a, err := s.open(purpose)
	if err != nil {
		return nil, err
	}
	return a.OperatorClient(s.ctx)
}

// open opens --database.
func (s *session) open(purpose string) (*app.App, error) {
	o := s.opts
	if o.Database == "" {
		return nil, sinew.Errorf(sinew.CodeInvalid, "neither a server nor a database is named").
			Hint("--database sinew.db for a file on this machine, or --server https://... with --token")
	}
	if s.app != nil {
		return s.app, nil
	}
	a, err := app.Open(s.ctx, s.config(purpose))
	if err != nil {
		return nil, err
	}
	s.app = a
	return a, nil
}

func (s *session) config(purpose string) app.Config {
	return app.Config{
		Database: s.opts.Database, KeyFile: s.opts.KeyFile, Key: os.Getenv("SINEW_KEY"),
		Workspace: s.opts.Workspace, FormatsDir: s.opts.Formats, Purpose: "sinew " + purpose,
		Version: s.env.Version, Logger: slog.New(slog.DiscardHandler),
	}
}

// local refuses a command that works on the database itself.
func (s *session) local(command string) error {
	if s.opts.Server != "" && s.opts.Database == "" {
		return sinew.Errorf(sinew.CodeInvalid, "sinew %s works on a database, not through a server", command).
			Hint("run it where the database is, with --database")
	}
	return nil
}

func (s *session) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.env.Stdout, format, args...)
}

// hint tells a person something that is not the result.
func (s *session) hint(format string, args ...any) {
	if !s.opts.Quiet && !s.opts.JSON {
		_, _ = fmt.Fprintf(s.env.Stderr, format+"\n", args...)
	}
}
