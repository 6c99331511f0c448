package cli

import (
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
)

func itoa(n int) string { return strconv.Itoa(n) }

type logCmd struct {
	Show       logShowCmd       `cmd:"" default:"withargs" help:"List entries, or show one (the default)."`
	Checkpoint logCheckpointCmd `cmd:"" help:"Write the root hashes and a dump to rebuild from into the log, signed."`
	Retention  logRetentionCmd  `cmd:"" help:"Show or set for how many days payloads are kept, and delete what is older."`
	Verify     logVerifyCmd     `cmd:"" help:"Check the chain, every payload, blob and signature, and print the root hashes."`
}

type logShowCmd struct {
	Seq   int64 `arg:"" optional:"" help:"The entry to show whole."`
	From  int64 `help:"List from this entry on; 0 for the beginning." default:"0"`
	Limit int   `help:"At most so many; 0 for all." default:"50"`

	Kind   []string `help:"Only entries of these kinds: snapshot, decision, rules, access, ..." placeholder:"KIND"`
	Actor  string   `help:"Only entries by this user (login or pseudonym), or system." placeholder:"WHO"`
	Text   string   `help:"Only entries whose payload has this text." placeholder:"TEXT"`
	Newest bool     `help:"The newest first."`
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
	search := client.SearchLog{From: c.From, Kinds: strings.Join(c.Kind, ","), Actor: c.Actor, Text: c.Text, Newest: c.Newest, Limit: c.Limit}
	err = api.Log(s.ctx, search, func(e client.LogEntry) error {
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
