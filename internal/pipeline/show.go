package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// showHead makes the finding's row show the observation of the presence that
// makes its headline.
func (f *fold) showHead(ctx context.Context, fs *findingState, head *presenceState, at int64, c change) error {
	row := &fs.row
	if row.ObsSeq == head.row.ObsSeq && row.ObsN == head.row.ObsN && row.Place == head.row.Place && row.Title != "" {
		return nil
	}
	was := *row
	switch {
	case head == c.presence:
		f.show(row, &head.row, c.obs, c.sn.S.Service)
	case row.Title != "" && f.shownHash(fs) == head.row.ObsHash:
		row.Place, row.ObsSeq, row.ObsN = head.row.Place, head.row.ObsSeq, head.row.ObsN
	default:
		o, gone, err := lost(f.observation(ctx, &head.row))
		if err != nil {
			return err
		}
		if gone {
			row.Place, row.ObsSeq, row.ObsN = head.row.Place, head.row.ObsSeq, head.row.ObsN
			return nil
		}
		service, err := f.j.claimedService(ctx, head.row.ObsSeq)
		if err != nil {
			return err
		}
		f.show(row, &head.row, o, service)
	}
	if was.Title == "" {
		return nil
	}
	if was.File != row.File {
		f.res.Moved++
		if err := f.event(ctx, fs, at, "moved", 0, was.File, row.File, c.why); err != nil {
			return err
		}
	}
	if was.Severity != row.Severity {
		return f.event(ctx, fs, at, "rescored", 0, string(sinew.SeverityOfRank(was.Severity)), string(sinew.SeverityOfRank(row.Severity)), c.why)
	}
	return nil
}

// shownHash is the content hash of what the row shows now, 0 if that is unknown.
func (f *fold) shownHash(fs *findingState) int64 {
	for _, p := range fs.presences {
		if p.was.Finding != 0 && p.was.ObsSeq == fs.row.ObsSeq && p.was.ObsN == fs.row.ObsN {
			return p.was.ObsHash
		}
	}
	return 0
}

// show fills the columns of a finding's row from an observation.
// service is the one that the uploader named.
func (f *fold) show(row *store.FindingRow, pr *store.PresenceRow, o *sinew.Observation, service string) {
	row.Place, row.ObsSeq, row.ObsN, row.LastSeen = pr.Place, pr.ObsSeq, pr.ObsN, pr.LastSeen
	row.Class = o.Class()
	row.Severity = max(0, o.Severity.Rank())
	row.Tool, row.Rule, row.Title = o.Tool, o.Rule, o.Title
	row.CWE = spaced(o.CWE, strconv.Itoa)
	row.IDs = spaced(o.IDs, func(s string) string { return strings.Join(strings.Fields(s), "_") })
	row.File, row.Line = identity.PathOf(o), int64(o.Line)
	row.Package, row.Version, row.PURL = "", "", ""
	if p := o.Package; p != nil {
		row.Package, row.Version, row.PURL = p.Name, p.Version, p.PURL
	}
	row.Image, row.Host = o.Image, o.Host
	row.Resource, row.Endpoint = store.ResourceText(o.Resource), store.EndpointText(o.Endpoint)
	row.Cause = identity.Cause(o)
	spot(row, o)
	f.units.assign(row, o, f.place(pr.Place), service)
}

// spaced writes a list so that a word in it is found with a space on either
// side.
func spaced[T any](list []T, text func(T) string) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte(' ')
	for _, v := range list {
		b.WriteString(text(v))
		b.WriteByte(' ')
	}
	return b.String()
}

// where says what a coverage must include for a presence to be closed: the place
// where it was last observed, which may not be what the finding's row shows.
func (f *fold) where(ctx context.Context, fs *findingState, p *presenceState) (class sinew.Class, rule, path, host string, err error) {
	row := &fs.row
	shown := row.ObsSeq == p.row.ObsSeq && row.ObsN == p.row.ObsN || f.shownHash(fs) == p.row.ObsHash
	if shown {
		switch row.Class {
		case sinew.ClassCode, sinew.ClassSecret, sinew.ClassDependency:
			return row.Class, row.Rule, row.File, row.Host, nil
		case sinew.ClassHost, sinew.ClassWeb, sinew.ClassResource, sinew.ClassOther:
			// their hosts have parts that the row does not keep
		}
	}
	if p.row.ObsSeq == 0 {
		return row.Class, row.Rule, row.File, row.Host, nil
	}
	o, gone, err := lost(f.observation(ctx, &p.row))
	if err != nil {
		return "", "", "", "", err
	}
	if gone {
		return row.Class, row.Rule, row.File, row.Host, nil
	}
	return o.Class(), o.Rule, identity.PathOf(o), identity.HostOf(o), nil
}

// coverage is the snapshot's, ready to be asked often.
func (s *snap) coverage() *identity.CoverageIndex {
	if s.cover == nil {
		s.cover = identity.IndexCoverage(s.S.Coverage)
	}
	return s.cover
}

// name says in a sentence's middle which snapshot it was.
func (f *fold) name(sn *snap) string {
	return "snapshot " + sinew.PublicID(f.j.ws.UUID, sinew.IDSnapshot, sn.Seq<<28)
}

// lineCache keeps the body that was read last open where it was left: what is
// asked for comes mostly in order.
type lineCache struct {
	seq  int64
	body *bodyReader
}

// lineSkip is how many lines are read over rather than looked up.
const lineSkip = 4000

// observation reads what a presence was last observed as. The error wraps errGone
// where retention has deleted that report, which it does only once the presence
// is closed.
func (f *fold) observation(ctx context.Context, pr *store.PresenceRow) (*sinew.Observation, error) {
	if gone, err := f.j.gone(ctx, pr.ObsSeq); err != nil || gone {
		return nil, errors.Join(err, errGone)
	}
	sn, err := f.j.body(ctx, pr.ObsSeq)
	if err != nil {
		return nil, err
	}
	c := &f.lines
	if c.seq != pr.ObsSeq || c.body == nil || c.body.n > pr.ObsN {
		f.closeLines()
		if pr.ObsN <= lineSkip {
			if c.body, err = f.j.p.openBody(ctx, f.j.ws.ID, sn); err != nil {
				return nil, err
			}
			c.seq = pr.ObsSeq
		}
	}
	if c.body == nil || pr.ObsN-c.body.n > lineSkip {
		text, err := f.j.db.BlobLine(ctx, f.j.ws.ID, store.BlobRef{Kind: store.BlobBody, Digest: sn}, pr.ObsN)
		if err != nil {
			return nil, fmt.Errorf("observation %d of snapshot %d: %w", pr.ObsN, pr.ObsSeq, err)
		}
		return (&bodyReader{n: pr.ObsN}).observation(text)
	}
	for {
		text, err := c.body.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("observation %d of snapshot %d: %w", pr.ObsN, pr.ObsSeq, err)
		}
		if c.body.n == pr.ObsN+1 {
			return c.body.observation(text)
		}
	}
}

func (f *fold) closeLines() {
	if f.lines.body != nil {
		_ = f.lines.body.Close() // nothing was written
	}
	f.lines = lineCache{}
}
