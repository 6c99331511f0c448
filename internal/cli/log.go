package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
)

func itoa(n int) string { return strconv.Itoa(n) }

type logCmd struct {
	Show       logShowCmd       `cmd:"" default:"withargs" help:"List entries, or show one (the default)."`
	Checkpoint logCheckpointCmd `cmd:"" help:"Write the root hashes into the log, signed."`
	Retention  logRetentionCmd  `cmd:"" help:"Show or set for how many days payloads are kept, and delete what is older."`
	Verify     logVerifyCmd     `cmd:"" help:"Check the chain, every payload, blob and signature, and print the root hashes."`
}

type logShowCmd struct {
	Seq   int64 `arg:"" optional:"" help:"The entry to show whole."`
	From  int64 `help:"List from this entry on." default:"1"`
	Limit int   `help:"At most so many; 0 for all." default:"50"`
}

func (c *logShowCmd) Run(s *session) error {
	api, err := s.api("log")
	if err != nil {
		return err
	}
	if c.Seq > 0 {
		e, err := api.LogEntry(s.ctx, c.Seq)
		if err != nil {
			return err
		}
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, e)
		}
		s.printf("%d  %s  %s  by %s\nhash    %s\ndigest  %s\n\n%s\n", e.Seq, day(e.At), e.Kind, e.Actor, e.Hash, e.Digest, e.Payload)
		return nil
	}
	t := table{head: []string{"SEQ", "AT", "KIND", "BY", "HASH", "WHAT"}}
	err = api.Log(s.ctx, c.From, c.Limit, func(e client.LogEntry) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, e)
		}
		t.add(strconv.FormatInt(e.Seq, 10), day(e.At), string(e.Kind), e.Actor, cut(e.Hash, 13), cut(string(e.Payload), 160))
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type logVerifyCmd struct{}

func (logVerifyCmd) Run(s *session) error {
	api, err := s.api("log")
	if err != nil {
		return err
	}
	v, err := api.Verify(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		if err := writeJSON(s.env.Stdout, v); err != nil {
			return err
		}
	} else if v.OK {
		s.printf("the log is whole: %d entries, %d blobs\nhead          %s\nstate hash    %s\nhistory hash  %s\n",
			v.Entries, v.Blobs, v.Head, v.State, v.History)
	}
	if !v.OK {
		return &gateError{"the log does not verify: entry " + strconv.FormatInt(v.BadSeq, 10) + ": " + v.Problem}
	}
	return nil
}

type logCheckpointCmd struct{}

func (logCheckpointCmd) Run(s *session) error {
	if err := s.local("log checkpoint"); err != nil {
		return err
	}
	a, err := s.open("checkpoint")
	if err != nil {
		return err
	}
	c, err := a.Checkpoint(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, c)
	}
	s.printf("signed up to entry %d of the log\nhistory hash  %s\nkey           %s\n", c.Seq, c.History, c.Key)
	return nil
}

type logRetentionCmd struct {
	Kind string `arg:"" optional:"" help:"evidence or attachment."`
	Days int    `arg:"" optional:"" help:"Days to keep it; 0 for ever." default:"-1"`
}

func (c *logRetentionCmd) Run(s *session) error {
	if err := s.local("log retention"); err != nil {
		return err
	}
	a, err := s.open("retention")
	if err != nil {
		return err
	}
	days, deleted, err := a.Retention(s.ctx, c.Kind, c.Days)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, map[string]any{"schema": "retention/v1", "days": days, "deleted": deleted})
	}
	for _, kind := range slices.Sorted(maps.Keys(days)) {
		text := "for ever"
		if days[kind] > 0 {
			text = strconv.Itoa(days[kind]) + " days"
		}
		s.printf("%-12s %s\n", kind, text)
	}
	if deleted > 0 {
		s.printf("%d deleted, each with a tombstone in the log\n", deleted)
	}
	return nil
}

type rebuildCmd struct{}

func (rebuildCmd) Run(s *session) error {
	if err := s.local("rebuild"); err != nil {
		return err
	}
	a, err := s.open("rebuild")
	if err != nil {
		return err
	}
	done, err := a.Rebuild(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		if err := writeJSON(s.env.Stdout, done); err != nil {
			return err
		}
	} else if done.Equal {
		s.printf("rebuilt from %d entries: the same as before\nhistory hash  %s\n", done.Entries, done.After)
	}
	if !done.Equal && !done.NewVersion {
		return &gateError{"the rebuilt projection differs from the live one: history hash " + done.Before + " before, " + done.After + " after"}
	}
	return nil
}

// againCmd is what rematch and remap share: a dry run unless told otherwise.
type againCmd struct {
	Apply bool `help:"Log the difference, so that it counts; without it nothing is changed."`
}

type rematchCmd struct{ againCmd }

func (c *rematchCmd) Run(s *session) error { return c.again(s, "rematch", (*app.App).Rematch) }

type remapCmd struct{ againCmd }

func (c *remapCmd) Run(s *session) error { return c.again(s, "remap", (*app.App).Remap) }

func (c *againCmd) again(s *session, what string, run func(*app.App, context.Context, bool) (*pipeline.Rematched, error)) error {
	if err := s.local(what); err != nil {
		return err
	}
	a, err := s.open(what)
	if err != nil {
		return err
	}
	done, err := run(a, s.ctx, !c.Apply)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("%d families come out differently: %d findings keep their id, %d ids redirect to another, %d findings are new\n",
		done.Families, done.Kept, done.Redirected, done.New)
	if done.Families > 0 && !c.Apply {
		s.hint("nothing was changed; sinew %s --apply logs it", what)
	}
	return nil
}

type backupCmd struct {
	File string `arg:"" help:"File to write; it must not exist. - writes to standard output."`
}

func (c *backupCmd) Run(s *session) error {
	api, err := s.api("backup")
	if err != nil {
		return err
	}
	if c.File == "-" {
		return api.Backup(s.ctx, s.env.Stdout)
	}
	n, err := writeNew(c.File, func(w *counter) error { return api.Backup(s.ctx, w) })
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, map[string]any{"file": c.File, "bytes": n})
	}
	s.printf("%s: %d bytes. It holds the master key: keep it as safe as the database.\n", c.File, n)
	return nil
}

type restoreCmd struct {
	File string `arg:"" help:"Backup to restore; - reads standard input." `
}

func (c *restoreCmd) Run(s *session) error {
	if err := s.local("restore"); err != nil {
		return err
	}
	if s.opts.Database == "" {
		return sinew.Errorf(sinew.CodeInvalid, "no database is named to restore into").Hint("name an empty one with --database")
	}
	in, err := openOrStdin(s, c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	done, err := app.Restore(s.ctx, s.config("restore"), in)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("restored: %d entries, the chain verifies\n", done.Entries)
	for i, name := range done.Workspaces {
		s.printf("%-12s history hash  %s\n", name, done.History[i])
	}
	if done.KeyFile != "" {
		s.printf("the master key is in %s\n", done.KeyFile)
	}
	return nil
}
