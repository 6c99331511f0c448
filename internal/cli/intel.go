package cli

import (
	"os"
	"path/filepath"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type intelCmd struct {
	Status  intelStatusCmd  `cmd:"" default:"1" help:"List what was imported, and when (the default)."`
	Aliases intelAliasesCmd `cmd:"" help:"Import which names vulnerabilities have: CVE, GHSA, GO, PYSEC, RUSTSEC and others."`
}

type intelStatusCmd struct{}

func (intelStatusCmd) Run(s *session) error {
	api, err := s.api("intel")
	if err != nil {
		return err
	}
	list, err := api.Intel(s.ctx)
	if err != nil {
		return err
	}
	t := table{head: []string{"KIND", "FILE", "IMPORTED", "RECORDS", "WITH SEVERAL NAMES"}}
	for _, i := range list {
		if s.opts.JSON {
			if err := writeJSON(s.env.Stdout, i); err != nil {
				return err
			}
			continue
		}
		t.add(i.Kind, i.Name, day(i.At), itoa(i.Records), itoa(i.Sets))
	}
	if len(list) == 0 {
		s.hint("nothing was imported: names of vulnerabilities are those that reports tell")
	}
	return t.write(s.env.Stdout)
}

type intelAliasesCmd struct {
	Files []string `arg:"" help:"Bundles of OSV records: all.zip of an ecosystem, a JSON array, or a record a line."`
}

func (intelAliasesCmd) Help() string {
	return `Examples:
  sinew intel aliases npm/all.zip PyPI/all.zip
Findings that tools tell by different names of one vulnerability are then one problem.`
}

func (c *intelAliasesCmd) Run(s *session) error {
	api, err := s.api("intel")
	if err != nil {
		return err
	}
	for _, name := range c.Files {
		if err := importAliases(s, api, name); err != nil {
			return err
		}
	}
	return nil
}

func importAliases(s *session, api *client.Client, name string) error {
	f, err := os.Open(name) //nolint:gosec // the file that the caller names
	if err != nil {
		return sinew.Errorf(sinew.CodeInvalid, "the file cannot be read: %w", err).At(name)
	}
	defer f.Close()
	done, err := api.ImportAliases(s.ctx, filepath.Base(name), f)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("%s: %d records, %d vulnerabilities with several names, entry %d of the log\n", name, done.Records, done.Sets, done.Seq)
	return nil
}
