package cli

import (
	"io"
	"os"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type appCmd struct {
	List   appListCmd   `cmd:"" default:"1" help:"List applications (the default)."`
	Rules  appRulesCmd  `cmd:"" help:"Show the rules, or replace them by a file: organisations, applications, services, environments, refs."`
	Stream appStreamCmd `cmd:"" name:"streams" help:"List where reports come from, and when they last came."`
	Deploy appDeployCmd `cmd:"" help:"Say which version runs in an environment."`
	Ref    appRefCmd    `cmd:"" help:"Say that a branch or change was merged, closed or deleted."`
	Assets appAssetsCmd `cmd:"" help:"List assets."`
	End    appEndCmd    `cmd:"" help:"Say that a machine or other asset is no more."`
}

type appListCmd struct{}

func (appListCmd) Run(s *session) error {
	api, err := s.api("app")
	if err != nil {
		return err
	}
	t := table{head: []string{"APPLICATION", "ORGANISATION", "BUSINESS UNIT", "ACTIVE", "SERVICES"}}
	err = api.Applications(s.ctx, func(a client.Application) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, a)
		}
		t.add(a.Name, a.Organisation, a.BusinessUnit, itoa(a.Active), strings.Join(a.Services, " "))
		return nil
	})
	if err != nil {
		return err
	}
	if len(t.rows) == 0 {
		s.hint("no applications yet: sinew import --app NAME makes one, sinew app rules FILE more")
	}
	return t.write(s.env.Stdout)
}

type appRulesCmd struct {
	File    string `arg:"" optional:"" help:"New rules (docs/rules.md); - reads standard input. Without it the standing rules are printed."`
	Preview bool   `help:"Only say what would change."`
}

func (c *appRulesCmd) Run(s *session) error {
	api, err := s.api("app")
	if err != nil {
		return err
	}
	if c.File == "" {
		doc, err := api.Rules(s.ctx)
		if err != nil {
			return err
		}
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, map[string]string{"document": doc})
		}
		s.printf("%s", doc)
		return nil
	}
	var doc []byte
	if c.File == "-" {
		doc, err = io.ReadAll(io.LimitReader(s.env.Stdin, 8<<20))
	} else {
		doc, err = os.ReadFile(c.File)
	}
	if err != nil {
		return sinew.Errorf(sinew.CodeInvalid, "the rules cannot be read: %w", err).At(c.File)
	}
	done, err := api.SetRules(s.ctx, string(doc), c.Preview)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	if c.Preview {
		s.printf("%d findings would change their application\n", done.Moved)
		return printPreview(s, done)
	}
	s.printf("rules in force, entry %d of the log; %d findings changed their application\n", done.Seq, done.Moved)
	return nil
}

type appStreamCmd struct{}

func (appStreamCmd) Run(s *session) error {
	api, err := s.api("app")
	if err != nil {
		return err
	}
	t := table{head: []string{"TARGET", "REF", "PLACE", "TOOL", "LABEL", "LAST SEEN", "VERSION"}}
	err = api.Streams(s.ctx, func(x client.Stream) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, x)
		}
		version := x.Version
		if len(version) > 19 {
			version = version[:19]
		}
		t.add(x.Target, x.Ref, x.Place, x.Tool, x.Label, day(x.LastSeen), version)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type appDeployCmd struct {
	App     string `arg:"" help:"Application."`
	Service string `help:"Service of it." placeholder:"NAME"`
	Env     string `required:"" help:"Environment." placeholder:"NAME"`
	Version string `required:"" help:"Commit, or digest of the artifact." placeholder:"VERSION"`
	At      string `help:"When; default now." placeholder:"TIME"`
}

func (c *appDeployCmd) Run(s *session) error {
	at, err := parseTime(c.At)
	if err != nil {
		return err
	}
	api, err := s.api("app")
	if err != nil {
		return err
	}
	done, err := api.Deploy(s.ctx, client.Deployment{Application: c.App, Service: c.Service, Environment: c.Env, Version: c.Version, At: at})
	if err != nil {
		return err
	}
	return s.recorded(done)
}

type appRefCmd struct {
	Target     string `arg:"" help:"Repository or image, as the streams name it (sinew app streams)."`
	Ref        string `arg:"" help:"Branch, tag or change."`
	MergedInto string `help:"It was merged into this ref." placeholder:"REF" xor:"event" required:""`
	Closed     bool   `help:"The change was closed without a merge." xor:"event" required:""`
	Deleted    bool   `help:"The ref was deleted. That closes nothing." xor:"event" required:""`
	At         string `help:"When; default now." placeholder:"TIME"`
}

func (c *appRefCmd) Run(s *session) error {
	at, err := parseTime(c.At)
	if err != nil {
		return err
	}
	e := client.RefEvent{Target: c.Target, Ref: c.Ref, Event: "merged", Into: c.MergedInto, At: at}
	switch {
	case c.Closed:
		e.Event = "closed"
	case c.Deleted:
		e.Event = "deleted"
	}
	api, err := s.api("app")
	if err != nil {
		return err
	}
	done, err := api.Ref(s.ctx, e)
	if err != nil {
		return err
	}
	return s.recorded(done)
}

type appAssetsCmd struct {
	Kind  string `arg:"" optional:"" help:"compute, package, repo, ... (docs/ontology.md)."`
	Limit int    `help:"At most so many; 0 for all." default:"50"`
}

func (c *appAssetsCmd) Run(s *session) error {
	api, err := s.api("app")
	if err != nil {
		return err
	}
	t := table{head: []string{"KIND", "APPLICATION", "ENDED", "KEY"}}
	err = api.Assets(s.ctx, c.Kind, c.Limit, func(a client.Asset) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, a)
		}
		t.add(string(a.Kind), a.Application, day(a.Ended), a.Key)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type appEndCmd struct {
	Asset string `arg:"" help:"kind:key, for example compute:web-1.example.org."`
	At    string `help:"When; default now." placeholder:"TIME"`
}

func (c *appEndCmd) Run(s *session) error {
	at, err := parseTime(c.At)
	if err != nil {
		return err
	}
	key, err := sinew.ParseAssetKey(c.Asset)
	if err != nil {
		return err
	}
	api, err := s.api("app")
	if err != nil {
		return err
	}
	done, err := api.EndAsset(s.ctx, key, at)
	if err != nil {
		return err
	}
	return s.recorded(done)
}

// recorded says which entry of the log something became.
func (s *session) recorded(d *client.Decided) error {
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, d)
	}
	s.printf("recorded, entry %d of the log\n", d.Seq)
	return nil
}
