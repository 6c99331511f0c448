package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// sinkError carries an error of the caller's sink through the readers, so that
// it comes out as it went in.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// located puts the name of the report before the place of an error.
func located(err error, name string) error {
	if se, ok := errors.AsType[*sinkError](err); ok {
		return se.err
	}
	var e *sinew.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	c := *e
	switch {
	case c.Where == "":
		c.Where = name
	case c.Where != name && !strings.HasPrefix(c.Where, name+":") && !strings.HasPrefix(c.Where, name+"!"):
		c.Where = name + ":" + c.Where
	}
	return &c
}

func invalid(where, msg string, args ...any) *sinew.Error {
	return sinew.Errorf(sinew.CodeInvalid, msg, args...).At(where)
}

func tooLarge(where, msg string, args ...any) *sinew.Error {
	return sinew.Errorf(sinew.CodeTooLarge, msg, args...).At(where)
}

// size says a number of bytes the way people do.
func size(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d bytes", n)
	case n < unit*unit:
		return fmt.Sprintf("%d KiB", n/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%d MiB", n/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/unit/unit/unit)
}

// notes collects what the reader had to decide, a few of each kind, and how
// many more there were.
type notes struct {
	order []string
	kinds map[string]*noteKind
	quiet bool // while rows are read that will be read again
}

type noteKind struct {
	first []string
	more  int
}

const notesPerKind = 3

// clone copies n, so that it can be put back.
func (n *notes) clone() notes {
	c := notes{order: slices.Clone(n.order), kinds: make(map[string]*noteKind, len(n.kinds)), quiet: n.quiet}
	for kind, k := range n.kinds {
		c.kinds[kind] = &noteKind{first: slices.Clone(k.first), more: k.more}
	}
	return c
}

// add records a note. Notes of one kind beyond the first few are counted only.
func (n *notes) add(kind, text string) {
	if n.quiet {
		return
	}
	if n.kinds == nil {
		n.kinds = map[string]*noteKind{}
	}
	k := n.kinds[kind]
	if k == nil {
		if len(n.order) >= 100 {
			return
		}
		k = &noteKind{}
		n.kinds[kind] = k
		n.order = append(n.order, kind)
	}
	if len(k.first) < notesPerKind {
		k.first = append(k.first, text)
		return
	}
	k.more++
}

// merge adds the notes of other.
func (n *notes) merge(other *notes) {
	for _, kind := range other.order {
		k := other.kinds[kind]
		for _, text := range k.first {
			n.add(kind, text)
		}
		if own := n.kinds[kind]; own != nil {
			own.more += k.more
		}
	}
}

func (n *notes) list() []string {
	var out []string
	for _, kind := range n.order {
		k := n.kinds[kind]
		out = append(out, k.first...)
		if k.more > 0 {
			out = append(out, fmt.Sprintf("%s: %d more", kind, k.more))
		}
	}
	return out
}
