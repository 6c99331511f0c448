package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type logCheckpointCmd struct{}

func (logCheckpointCmd) Run(s *session) error {
	api, err := s.api("checkpoint")
	if err != nil {
		return err
	}
	c, err := api.Checkpoint(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, c)
	}
	s.printf("signed up to entry %d of the log\nhistory hash  %s\ndump          %s\nkey           %s\n", c.Seq, c.History, c.Dump, c.Key)
	return nil
}

type logRetentionCmd struct {
	Kind string `arg:"" optional:"" help:"evidence, attachment, body (what reports say, normalised) or dump (of checkpoints)."`
	Days int    `arg:"" optional:"" help:"Days to keep it; 0 for ever." default:"-1"`
}

func (*logRetentionCmd) Help() string {
	return `Without arguments it shows what holds. With them it sets the days and deletes what is older; sinew serve
deletes every hour. Before bodies go a checkpoint with a dump is made, and what is open or newest is kept:
docs/operations.md says what can no longer be done afterwards.`
}

func (c *logRetentionCmd) Run(s *session) error {
	if c.Kind != "" && c.Days < 0 {
		return sinew.Errorf(sinew.CodeInvalid, "for how many days is %s to be kept?", c.Kind).Hint("sinew log retention %s 400; 0 keeps for ever", c.Kind)
	}
	api, err := s.api("retention")
	if err != nil {
		return err
	}
	deleted := 0
	if c.Kind != "" {
		if err := api.SetRetention(s.ctx, c.Kind, c.Days); err != nil {
			return err
		}
		if deleted, err = api.ApplyRetention(s.ctx); err != nil {
			return err
		}
	}
	days, err := api.Retention(s.ctx)
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

type rebuildCmd struct {
	Whole  bool `help:"Replay the log from its first entry, not from the newest checkpoint."`
	Status bool `help:"Only show how what readers see stands to the log, and whether a rebuild runs."`
}

func (c *rebuildCmd) Run(s *session) error {
	api, err := s.api("rebuild")
	if err != nil {
		return err
	}
	if c.Status {
		return showProjection(s, api)
	}
	done, err := working(s, "rebuild", func(ctx context.Context, tell func(done, of int64)) (*client.Rebuilt, error) {
		return api.Rebuild(ctx, c.Whole, tell)
	})
	if err != nil {
		return err
	}
	if s.opts.JSON {
		if err := writeJSON(s.env.Stdout, done); err != nil {
			return err
		}
	} else {
		from := "the first entry of the log"
		if done.From > 0 {
			from = "the checkpoint of entry " + strconv.FormatInt(done.From, 10)
		}
		what := "the same as before"
		if !done.Equal {
			what = "another history than before"
		}
		s.printf("rebuilt from %s and %d entries: %s\nhistory hash  %s\n", from, done.Entries, what, done.After)
	}
	if !done.Equal && !done.NewVersion {
		return &gateError{"the rebuilt projection differs from the live one: history hash " + done.Before + " before, " + done.After + " after"}
	}
	return nil
}

func showProjection(s *session, api *client.Client) error {
	p, err := api.Projection(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, p)
	}
	s.printf("log           %d entries\nprojected     %d, by version %s of the code; %s runs\n", p.Head, p.Projected, p.Version, p.Current)
	if p.Holder != "" {
		s.printf("at work       %s\n", p.Holder)
	}
	if p.Rebuilding {
		s.printf("rebuilding    %d of %d\n", p.Rebuilt, p.Projected)
	}
	if c := p.Checkpoint; c != nil {
		s.printf("checkpoint    entry %d of %s, up to entry %d; its dump has %d bytes\n", c.Entry, day(c.At), c.Seq, c.Bytes)
	}
	return nil
}

// againCmd is what rematch and remap share: a dry run unless told otherwise.
type againCmd struct {
	Apply bool `help:"Log the difference, so that it counts; without it nothing is changed."`
}

type rematchCmd struct{ againCmd }

func (c *rematchCmd) Run(s *session) error { return c.again(s, "rematch", (*client.Client).Rematch) }

type remapCmd struct{ againCmd }

func (c *remapCmd) Run(s *session) error { return c.again(s, "remap", (*client.Client).Remap) }

func (c *againCmd) again(s *session, what string,
	run func(*client.Client, context.Context, bool, func(done, of int64)) (*client.Rematched, error),
) error {
	api, err := s.api(what)
	if err != nil {
		return err
	}
	done, err := working(s, what, func(ctx context.Context, tell func(done, of int64)) (*client.Rematched, error) {
		return run(api, ctx, c.Apply, tell)
	})
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("%d families come out differently: %d findings keep their id, %d ids redirect to another, %d findings are new\n",
		done.Families, done.Kept, done.Redirected, done.New)
	if done.Skipped > 0 {
		s.printf("%d families stay as they are: retention has deleted reports of theirs\n", done.Skipped)
	}
	if done.Families > 0 && !c.Apply {
		s.hint("nothing was changed; sinew %s --apply logs it", what)
	}
	return nil
}

// working does something long and shows on terminals how far it is.
func working[T any](s *session, what string, fn func(context.Context, func(done, of int64)) (*T, error)) (*T, error) {
	p := newProgress(s)
	defer p.wait()
	return fn(s.ctx, func(done, of int64) {
		if p.bars == nil || of == 0 {
			return
		}
		if p.bar == nil {
			p.bar = p.bars.New(of, mpb.BarStyle().Rbound("|"), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name(what+" ")), mpb.AppendDecorators(decor.CountersNoUnit("%d / %d")))
		}
		p.bar.SetCurrent(done)
	})
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
