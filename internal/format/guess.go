package format

import (
	"context"
	"errors"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Guess is what the beginning of a file tells of its format.
type Guess struct {
	Format  *Format   // that would be taken; nil if none or several fit
	Formats []*Format // that fit, the one that would be taken first
	Why     string    // no format: what it looks like, and what to do about it
}

// Guess says which format a file has of which maybe only the beginning is given.
// What is cut off is no fault of it.
func (e *Engine) Guess(ctx context.Context, in Input) (*Guess, error) {
	all, err := e.Recognise(ctx, in, Options{})
	if err != nil {
		return explained(err)
	}
	slices.SortStableFunc(all, func(a, b *Format) int { return b.Specificity - a.Specificity })
	g := &Guess{Formats: all}
	switch {
	case len(all) == 1 || len(all) > 1 && all[0].Specificity > all[1].Specificity:
		g.Format = all[0]
	case len(all) > 1:
		g.Why = "several formats recognise this file: say which it is"
	default:
		g.Why, err = e.shape(ctx, in)
		if err != nil {
			return explained(err)
		}
	}
	return g, nil
}

// explained turns a fault of the file into an explanation.
func explained(err error) (*Guess, error) {
	e, ok := errors.AsType[*sinew.Error](err)
	if !ok || e.Code == sinew.CodeInternal {
		return nil, err
	}
	why := e.Message
	if e.Next != "" {
		why += "; " + e.Next
	}
	return &Guess{Why: why}, nil
}

// shape says what a file looks like that no format recognises.
func (e *Engine) shape(ctx context.Context, in Input) (why string, err error) {
	p := newParse(e, in, Options{}, nil)
	defer func() { err = errors.Join(err, p.close()) }()
	p.clock = newClock(ctx, p.limits.RowTime, p.limits.FileTime)
	defer p.clock.stop()
	in.R = checked{in, p}
	l, err := p.sniff(in)
	if err != nil {
		return "", err
	}
	switch {
	case l.empty:
		return "the file says nothing: it is " + l.shape, nil
	case l.archive != "":
		return "the file is " + l.shape + ": what is in it is only known once all of it was sent", nil
	}
	return "no format recognises this file: it is " + l.shape + "; sinew format new begins a mapping for it", nil
}
