package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sinewsec/sinew/internal/store"
)

// Steps: what each item of a family's fold order did, so that it can be taken back
// and the items after a late one be folded again without those before it
// (docs/decisions/012-late-reports.md). What a step records of a row is the columns
// that it changed, as they were: it is taken back from rows that are as the step
// left them, the newest step first.

// undoBudget is how many bytes of a family's steps are kept to take them back: some
// million changes. What is late by more is folded from the beginning.
const undoBudget = 64 << 20

// stepPart is how large a part of a step becomes before it is written.
const stepPart = 256 << 10

// What a step did, as its parts have it.
const (
	didBear           = 'B' // a run of findings with one presence: first id, count, place
	didMakeFinding    = 'F' // id
	didChangeFinding  = 'f' // id, changes
	didMakePresence   = 'P' // finding, place
	didChangePresence = 'p' // finding, place, changes
	didPlace          = 'L' // place, then its head, last-seen time, version and end
)

// stepLog records the steps of one family.
type stepLog struct {
	n    int64 // steps so far
	kept int64 // bytes of those that can be taken back

	open     bool
	recorded bool // how it is taken back is written
	off      bool // a fold that is thrown away: nothing is written
	hold     bool // one that is taken back: nothing is forgotten
	item     int64
	part     int64
	size     int64
	buf      []byte
	changes  *store.RowChanges
	places   []store.PlaceRow // as they were
	born     struct{ first, count, place int64 }
}

// openStep begins the step of an item: what changes from now on is part of it.
func (f *fold) openStep(ctx context.Context, item int64) error {
	if f.log == nil {
		l := &stepLog{changes: store.NewRowChanges()}
		var err error
		if l.n, l.kept, err = f.j.db.CountSteps(ctx, f.j.space, f.fam.ID, f.fam.UndoFrom); err != nil {
			return err
		}
		f.log = l
	}
	l := f.log
	l.recorded = f.fam.UndoFrom != nothingStays
	l.open, l.item, l.part, l.size, l.buf, l.places = !l.off, item, 0, 0, l.buf[:0], l.places[:0]
	for _, p := range f.places {
		l.places = append(l.places, *p)
	}
	return nil
}

// closeStep ends the step. One that changed nothing counts only if keep is set.
func (f *fold) closeStep(ctx context.Context, keep bool) error {
	l := f.log
	if !l.open {
		return nil
	}
	if l.recorded {
		f.recordPlaces()
		l.flushBorn()
		if err := f.flushStep(ctx, 1); err != nil {
			return err
		}
	}
	l.open = false
	if l.size == 0 && !keep {
		return nil
	}
	err := f.st.Step(ctx, store.StepRow{Family: f.fam.ID, N: l.n, Item: l.item, Entry: f.born, Size: l.size})
	if err != nil {
		return err
	}
	l.n++
	l.kept += l.size
	return f.forget(ctx)
}

// recordPlaces puts what changed of the places into the step.
func (f *fold) recordPlaces() {
	l := f.log
	for _, p := range f.places {
		was := store.PlaceRow{ID: p.ID}
		if i := slices.IndexFunc(l.places, func(q store.PlaceRow) bool { return q.ID == p.ID }); i >= 0 {
			was = l.places[i]
		}
		if was.Head != p.Head || was.SeenAt != p.SeenAt || was.Version != p.Version || was.Ended != p.Ended {
			b := l.did(didPlace, p.ID)
			b = binary.AppendVarint(binary.AppendVarint(b, was.Head), was.SeenAt)
			l.buf = appendText(appendText(b, was.Version), was.Ended)
		}
	}
}

// forget lets go of the oldest steps as long as those that can be taken back are
// too large.
func (f *fold) forget(ctx context.Context) error {
	l := f.log
	if l.kept <= f.j.p.undo || l.hold {
		return nil
	}
	if err := f.st.Flush(ctx); err != nil {
		return err
	}
	steps, err := f.j.db.Steps(ctx, f.j.space, f.fam.ID, f.fam.UndoFrom)
	if err != nil {
		return err
	}
	for i := 0; i < len(steps) && l.kept > f.j.p.undo; i++ {
		l.kept -= steps[i].Size
		f.fam.UndoFrom = steps[i].N + 1
	}
	f.st.SaveFamily(f.fam)
	return f.st.EndStepParts(ctx, f.fam.ID, f.fam.UndoFrom)
}

// barrier says that nothing that was folded so far would come out the same again:
// something else has changed what depends on it. What is late next is folded with all
// that came before it, and until then steps need not be taken back.
func (f *fold) barrier(ctx context.Context) error {
	f.fam.UndoFrom = nothingStays
	return f.st.EndStepParts(ctx, f.fam.ID, nothingStays)
}

// nothingStays is more steps than a family has.
const nothingStays = math.MaxInt64

// recording reports whether what changes is part of a step.
func (f *fold) recording() bool { return f.log != nil && f.log.open && f.log.recorded }

// did appends what was done to a row.
func (l *stepLog) did(what byte, id int64) []byte {
	l.flushBorn()
	if len(l.buf) == 0 {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, store.RowLayout())
	}
	return binary.AppendVarint(append(l.buf, what), id)
}

// bore records a finding that was made with one presence.
func (l *stepLog) bore(id, place int64) {
	b := &l.born
	if b.count > 0 && b.place == place && b.first+b.count == id {
		b.count++
		return
	}
	l.flushBorn()
	b.first, b.count, b.place = id, 1, place
}

func (l *stepLog) flushBorn() {
	b := l.born
	if b.count == 0 {
		return
	}
	l.born.count = 0
	l.buf = binary.AppendVarint(binary.AppendVarint(l.did(didBear, b.first), b.count), b.place)
}

// record puts what changes of a finding and its presences into the step.
func (f *fold) record(ctx context.Context, fs *findingState) (err error) {
	l := f.log
	for _, p := range fs.presences {
		switch {
		case p.was.Finding == 0:
			l.buf = binary.AppendVarint(l.did(didMakePresence, fs.row.ID), p.row.Place)
		case p.row != p.was:
			b := binary.AppendVarint(l.did(didChangePresence, fs.row.ID), p.row.Place)
			if l.buf, err = l.changes.Presence(b, &p.row, &p.was); err != nil {
				return err
			}
		}
	}
	switch {
	case fs.was.ID == 0:
		l.buf = l.did(didMakeFinding, fs.row.ID)
	case fs.row != fs.was:
		if l.buf, err = l.changes.Finding(l.did(didChangeFinding, fs.row.ID), &fs.row, &fs.was); err != nil {
			return err
		}
	}
	return f.flushStep(ctx, stepPart) // never between the rows of one finding
}

// flushStep writes what is recorded as a part once it has so many bytes.
func (f *fold) flushStep(ctx context.Context, atLeast int) error {
	l := f.log
	if len(l.buf) < atLeast {
		return nil
	}
	if err := f.st.StepPart(ctx, f.fam.ID, l.n, l.part, l.buf); err != nil {
		return err
	}
	l.part++
	l.size += int64(len(l.buf))
	l.buf = l.buf[:0]
	return nil
}

// change is one thing that a step did.
type stepChange struct {
	what      byte
	id, place int64
	count     int64  // of a run
	was       []byte // changes, or what a place was
}

var errStep = errors.New("the record of what was folded is damaged; rebuild the projection")

// readable reports whether a part was written for rows as they are today.
func readable(part []byte) bool {
	return len(part) >= 4 && binary.LittleEndian.Uint32(part) == store.RowLayout()
}

// stepChanges reads a part.
func (l *stepLog) stepChanges(data []byte) (out []stepChange, err error) {
	if !readable(data) {
		return nil, errStep
	}
	b := data[4:]
	number := func() (v int64) {
		v, size := binary.Varint(b)
		if size <= 0 {
			err, b = errStep, nil
			return 0
		}
		b = b[size:]
		return v
	}
	var finding store.FindingRow
	var presence store.PresenceRow
	for len(b) > 0 && err == nil {
		c := stepChange{what: b[0]}
		b = b[1:]
		c.id = number()
		rest := b
		switch c.what {
		case didBear:
			c.count, c.place = number(), number()
		case didMakeFinding:
		case didMakePresence:
			c.place = number()
		case didChangeFinding:
			if b, err = l.changes.RestoreFinding(b, &finding); err == nil {
				c.was = rest[:len(rest)-len(b)]
			}
		case didChangePresence:
			c.place = number()
			rest = b
			if err == nil {
				if b, err = l.changes.RestorePresence(b, &presence); err == nil {
					c.was = rest[:len(rest)-len(b)]
				}
			}
		case didPlace:
			number()
			number()
			for range 2 {
				if _, b, err = cutText(b); err != nil {
					return nil, err
				}
			}
			c.was = rest[:len(rest)-len(b)]
		default:
			return nil, errStep
		}
		out = append(out, c)
	}
	return out, err
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutText(b []byte) (string, []byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) { //nolint:gosec // not negative
		return "", b, errStep
	}
	end := size + int(n) //nolint:gosec // at most len(b)
	return string(b[size:end]), b[end:], nil
}

// takeBack makes the family what it was before its step n.
func (f *fold) takeBack(ctx context.Context, n int64) error {
	if n < f.fam.UndoFrom {
		return errStep
	}
	if err := f.st.Flush(ctx); err != nil {
		return err
	}
	steps, err := f.j.db.Steps(ctx, f.j.space, f.fam.ID, n)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(steps) {
		if err := f.takeBackStep(ctx, s); err != nil {
			return fmt.Errorf("take back step %d of family %d: %w", s.N, f.fam.ID, err)
		}
		f.log.kept -= s.Size
	}
	f.log.n = n
	return f.st.EndSteps(ctx, f.fam.ID, n)
}

func (f *fold) takeBackStep(ctx context.Context, s store.StepRow) error {
	parts, err := f.j.db.StepParts(ctx, f.j.space, f.fam.ID, s.N)
	if err != nil {
		return err
	}
	t := &takingBack{f: f, assign: s.Entry < f.fam.Assigned}
	for part := parts - 1; part >= 0; part-- {
		data, err := f.j.db.ReadStepPart(ctx, f.j.space, f.fam.ID, s.N, part)
		if err != nil {
			return err
		}
		changes, err := f.log.stepChanges(data)
		if err != nil {
			return err
		}
		for _, c := range slices.Backward(changes) {
			if err := t.change(ctx, c); err != nil {
				return err
			}
		}
	}
	return t.flush(ctx)
}

// takingBack collects changes of a step, newest first, for some findings at a time.
type takingBack struct {
	f       *fold
	assign  bool // findings were assigned to units anew since
	ids     map[int64]bool
	changes []stepChange
}

func (t *takingBack) change(ctx context.Context, c stepChange) error {
	switch c.what {
	case didPlace:
		return t.place(c)
	case didBear:
		for i := range c.count {
			if err := t.add(ctx, stepChange{what: didBear, id: c.first(c.count - 1 - i), place: c.place}); err != nil {
				return err
			}
		}
		return nil
	}
	return t.add(ctx, c)
}

// first is the id of the i-th finding of a run.
func (c *stepChange) first(i int64) int64 { return c.id + i }

func (t *takingBack) add(ctx context.Context, c stepChange) error {
	if t.ids == nil {
		t.ids = map[int64]bool{}
	}
	if !t.ids[c.id] && len(t.ids) == touchBatch {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	t.ids[c.id] = true
	t.changes = append(t.changes, c)
	return nil
}

func (t *takingBack) place(c stepChange) error {
	p := t.f.place(c.id)
	if p == nil {
		return errStep
	}
	b := c.was
	head, n := binary.Varint(b)
	seen, m := binary.Varint(b[n:])
	version, b, err := cutText(b[n+m:])
	if err != nil {
		return err
	}
	ended, _, err := cutText(b)
	p.Head, p.SeenAt, p.Version, p.Ended = head, seen, version, ended
	return err
}

func (t *takingBack) flush(ctx context.Context) error {
	if len(t.changes) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(t.ids))
	for id := range t.ids {
		ids = append(ids, id)
	}
	f := t.f
	set, err := f.load(ctx, 0, ids)
	if err != nil {
		return err
	}
	for _, c := range t.changes {
		fs := set.findings[c.id]
		if fs == nil {
			return errStep
		}
		p := fs.presence(c.place)
		if p == nil && (c.what == didMakePresence || c.what == didChangePresence) {
			return errStep
		}
		switch c.what {
		case didBear:
			fs.gone = true
			for _, p := range fs.presences {
				p.gone = true
			}
		case didMakeFinding:
			fs.gone = true
		case didMakePresence:
			p.gone = true
		case didChangeFinding:
			_, err = f.log.changes.RestoreFinding(c.was, &fs.row)
		case didChangePresence:
			_, err = f.log.changes.RestorePresence(c.was, &p.row)
		}
		if err != nil {
			return err
		}
	}
	if t.assign {
		for _, id := range set.order {
			if fs := set.findings[id]; fs != nil && !fs.gone && fs.row != fs.was {
				if err := f.assign(ctx, fs); err != nil {
					return err
				}
			}
		}
	}
	clear(t.ids)
	t.changes = t.changes[:0]
	return set.save(ctx)
}
