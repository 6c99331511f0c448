package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Stage writes the next generation of a projection space, invisible to readers
// until [Stage.Flip]. Rows are buffered and written in transactions of their
// own, each short and each checking the lease's fence, so that a holder who
// slept loses and other writers get their turn.
//
// Within a stage "current" means gen_to IS NULL: what is staged counts, what is
// staged to end does not. A row that is staged twice is updated in place, so one
// generation can be the work of several steps.
type Stage struct {
	db    *DB
	lease *Lease
	ws    int64
	space int64
	gen   int64

	fresh    buffer // finding rows that no earlier version precedes
	freshP   buffer // presence rows likewise
	put      []FindingRow
	putP     []PresenceRow
	events   buffer
	verdicts buffer
	steps    buffer
	joins    buffer
	endJ     []JoinRow
	leads    []leadOf
	ended    []int64             // findings that were ended
	parted   []partedFinding     // of those that were in a cluster
	blocks   []Block             // of findings that changed, some several times
	issues   map[int64]struct{}  // of findings that changed
	work     map[int64]IssueWork // what people said of them
	segments *segmentWriter      // of what is staged; nil while nothing is
	end      []int64             // findings to end
	endP     map[int64][]int64   // place -> findings whose presence ends
	pending  int

	batch  int // rows a transaction; follows the measured time
	counts map[counterKey]int64
	post   []func(context.Context, *tx) error // small unversioned writes, made by the flip
	looked bool
	unseen int64 // rows that the statistics of PostgreSQL do not know
	writes time.Duration
	rows   int64
}

// stageBudget is the longest that a staging transaction should take.
const stageBudget = 40 * time.Millisecond

type buffer struct {
	vals []any
	n    int
}

// BeginStage opens the generation after the live one, after undoing what an
// earlier attempt left behind.
func (db *DB) BeginStage(ctx context.Context, lease *Lease, ws, space int64) (*Stage, error) {
	live, err := db.liveGen(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("begin stage: %w", err)
	}
	s := &Stage{
		db: db, lease: lease, ws: ws, space: space, gen: live + 1,
		batch: 600, counts: map[counterKey]int64{}, endP: map[int64][]int64{},
		issues: map[int64]struct{}{}, work: map[int64]IssueWork{},
	}
	if err := s.undo(ctx, live); err != nil {
		return nil, fmt.Errorf("undo an unfinished stage: %w", err)
	}
	return s, nil
}

func (db *DB) liveGen(ctx context.Context, space int64) (gen int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT live_gen FROM space WHERE id = $1`, space).Scan(&gen)
	})
	return gen, err
}

// Space is the projection space that s writes to.
func (s *Stage) Space() int64 { return s.space }

// versioned lists the tables whose rows carry generations; ended says which of
// them can also be marked as ended.
var versioned = []struct {
	name, key string
	ended     bool
}{
	{"finding", "space, id, gen_from", true},
	{"presence", "space, finding_id, place_id, gen_from", true},
	{"event", "space, finding_id, seq, n", false},
	{"step", "space, family_id, n, gen_from", true},
	{"step_part", "space, family_id, n, part, gen_from", true},
	{"finding_join", "space, a_id, b_id, gen_from", true},
	{"issue", "space, id, gen_from", true},
	{"issue_event", "space, issue_id, seq, n", false},
	{"redirect", "space, old_id, gen_from", true},
	{"verdict", "space, birth_id, seq", false},
	{"finding_segment", "space, id", false},
	{"asset", "space, id", false},
	{"asset_fact", "space, place_id, asset_id, gen_from", true},
	{"relation", "space, place_id, from_id, kind, to_id, gen_from", true},
}

// Abort takes back what was staged. A stage that is simply left is taken back
// when the next one begins.
func (s *Stage) Abort(ctx context.Context) error {
	if err := s.undo(ctx, s.gen-1); err != nil {
		return fmt.Errorf("undo a stage: %w", err)
	}
	return nil
}

func (s *Stage) undo(ctx context.Context, live int64) error {
	for _, t := range versioned {
		// Most of the time there is nothing to do; ask before taking the writer.
		begun, ended, err := s.leftovers(ctx, t.name, t.ended, live)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if begun {
			err := s.repeat(ctx, `DELETE FROM `+t.name+` WHERE (`+t.key+`) IN (SELECT `+t.key+` FROM `+t.name+
				` WHERE space = $1 AND gen_from > $2 LIMIT 2000)`, s.space, live)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if ended {
			err := s.repeat(ctx, `UPDATE `+t.name+` SET gen_to = NULL WHERE (`+t.key+`) IN (SELECT `+t.key+` FROM `+t.name+
				` WHERE space = $1 AND gen_to IS NOT NULL AND gen_to > $2 LIMIT 2000)`, s.space, live)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return nil
}

func (s *Stage) leftovers(ctx context.Context, table string, ends bool, live int64) (begun, ended bool, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+` WHERE space = $1 AND gen_from > $2)`, s.space, live).Scan(&begun)
		if err != nil || !ends {
			return err
		}
		return t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+` WHERE space = $1 AND gen_to IS NOT NULL AND gen_to > $2)`,
			s.space, live).Scan(&ended)
	})
	return begun, ended, err
}

// repeat runs a statement that works on a bounded number of rows until none are
// left, each time in a transaction of its own.
func (s *Stage) repeat(ctx context.Context, query string, args ...any) error {
	for {
		var n int64
		err := s.tx(ctx, func(t *tx) error {
			res, err := t.ExecContext(ctx, query, args...)
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// tx runs fn in one write transaction that holds only while the lease does.
func (s *Stage) tx(ctx context.Context, fn func(*tx) error) error {
	return s.db.write(ctx, func(t *tx) error {
		if err := checkFence(ctx, t, s.lease); err != nil {
			return err
		}
		return fn(t)
	})
}

// NewFinding stages a finding that has no row yet.
func (s *Stage) NewFinding(ctx context.Context, f *FindingRow, target string) error {
	f.count(s.counts, target, 1)
	s.noteBlock(f)
	s.noteIssue(f)
	if err := s.enter(f); err != nil {
		return err
	}
	s.fresh.vals = f.values(s.fresh.vals, s.space, s.gen)
	s.fresh.n++
	return s.grown(ctx)
}

// ChangeFinding stages the next version of a finding's row.
func (s *Stage) ChangeFinding(ctx context.Context, was, now *FindingRow, target string) error {
	was.count(s.counts, target, -1)
	now.count(s.counts, target, 1)
	s.noteChange(was, now)
	s.noteIssues(was, now)
	if err := s.enter(now); err != nil {
		return err
	}
	if was.GenFrom == s.gen && onlyLead(was, now) {
		s.leads = append(s.leads, leadOf{now.ID, now.Lead, now.Tools, now.Also})
	} else {
		s.put = append(s.put, *now)
	}
	return s.grown(ctx)
}

// leadOf is what correlation says of a row that this very stage wrote.
type leadOf struct {
	id, lead    int64
	tools, also string
}

// onlyLead reports whether nothing but that differs.
func onlyLead(was, now *FindingRow) bool {
	same := *now
	same.Lead, same.Tools, same.Also = was.Lead, was.Tools, was.Also
	return same == *was
}

// EndFinding stages the end of a finding's row: a fold that is done again, or a
// birth that is now part of another finding.
func (s *Stage) EndFinding(ctx context.Context, f *FindingRow, target string) error {
	f.count(s.counts, target, -1)
	s.noteBlock(f)
	s.noteIssue(f)
	s.ended = append(s.ended, f.ID)
	if f.Lead != 0 {
		s.parted = append(s.parted, partedFinding{f.ID, Block{f.Unit, f.Block}})
	}
	s.end = append(s.end, f.ID)
	return s.grown(ctx)
}

// NewPresence stages a presence that has no row yet.
func (s *Stage) NewPresence(ctx context.Context, p *PresenceRow) error {
	s.freshP.vals = p.values(s.freshP.vals, s.space, s.gen)
	s.freshP.n++
	return s.grown(ctx)
}

// ChangePresence stages the next version of a presence's row.
func (s *Stage) ChangePresence(ctx context.Context, p *PresenceRow) error {
	s.putP = append(s.putP, *p)
	return s.grown(ctx)
}

// EndPresence stages the end of a presence's row.
func (s *Stage) EndPresence(ctx context.Context, finding, place int64) error {
	s.endP[place] = append(s.endP[place], finding)
	return s.grown(ctx)
}

// Event stages a line of a finding's history.
func (s *Stage) Event(ctx context.Context, e *EventRow) error {
	s.events.vals = e.values(s.events.vals, s.space, s.gen)
	s.events.n++
	return s.grown(ctx)
}

// NewRedirect says, when the stage flips, that a birth is part of a finding.
func (s *Stage) NewRedirect(r RedirectRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO redirect (space, old_id, new_id, gen_from) VALUES ($1, $2, $3, $4)`,
			s.space, r.Old, r.New, s.gen)
		return wrap(err, "save redirect")
	})
}

// EndRedirect says, when the stage flips, that a birth stands for itself again.
func (s *Stage) EndRedirect(birth int64) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE redirect SET gen_to = $1 WHERE space = $2 AND old_id = $3 AND gen_to IS NULL`,
			s.gen, s.space, birth)
		return wrap(err, "end redirect")
	})
}

// Verdict stages a decision on a birth.
func (s *Stage) Verdict(ctx context.Context, v *VerdictRow) error {
	s.verdicts.vals = v.values(s.verdicts.vals, s.space, s.gen)
	s.verdicts.n++
	return s.grown(ctx)
}

func (s *Stage) grown(ctx context.Context) error {
	s.pending++
	if s.pending < s.batch {
		return nil
	}
	return s.Flush(ctx)
}

// Flush writes what is buffered. Callers flush before they read back.
func (s *Stage) Flush(ctx context.Context) error {
	if s.pending == 0 {
		return nil
	}
	if len(s.put)+len(s.putP)+len(s.end)+len(s.endP) > 0 {
		if err := s.analyze(ctx); err != nil {
			return err
		}
	}
	start := time.Now()
	err := s.tx(ctx, func(t *tx) error { return s.flush(ctx, t) })
	if err != nil {
		return fmt.Errorf("stage rows: %w", err)
	}
	took := time.Since(start)
	s.writes += took
	s.rows += int64(s.pending)
	s.unseen += int64(s.pending)
	s.pending = 0
	switch { // follow the machine: a slow disk gets smaller transactions, never longer ones
	case took > stageBudget && s.batch > 100:
		s.batch = s.batch * 3 / 4
	case took < stageBudget/2 && s.batch < 4000:
		s.batch = s.batch * 5 / 4
	}
	return nil
}

// later adds a small write that the flip makes in its own transaction.
func (s *Stage) later(fn func(context.Context, *tx) error) { s.post = append(s.post, fn) }

// Flip is what a generation ends with.
type Flip struct {
	Projected int64     // the space is projected up to this entry
	Outcome   any       // payload of the outcome entry to append; nil for none
	Blobs     []BlobRef // what the outcome names
}

// errGen means that somebody else flipped, which the fence should have kept
// from happening.
var errGen = errors.New("the live generation is not the one the stage was begun on")

// Flip makes the generation live: one short transaction checks the fence,
// appends the outcome, makes the small writes, applies the counter deltas and
// moves the space on. It gives the seq of the outcome, 0 for none.
func (s *Stage) Flip(ctx context.Context, f Flip) (seq int64, err error) {
	if err := s.Flush(ctx); err != nil {
		return 0, err
	}
	if err := s.seal(ctx); err != nil {
		return 0, fmt.Errorf("stage rows: %w", err)
	}
	if err := s.sealIssues(ctx, f.Projected); err != nil {
		return 0, err
	}
	var payload []byte
	if f.Outcome != nil {
		if payload, err = encodePayload(f.Outcome); err != nil {
			return 0, fmt.Errorf("flip generation %d: %w", s.gen, err)
		}
	}
	err = s.db.write(ctx, func(t *tx) error {
		// The workspace before the lease, as those who take the lease do.
		if _, err := lockWorkspace(ctx, t, s.ws); err != nil {
			return err
		}
		if err := checkFence(ctx, t, s.lease); err != nil {
			return err
		}
		if payload != nil {
			e, err := appendEntry(ctx, t, s.ws, sinew.EntryOutcome, SystemActor, payload)
			if err != nil {
				return err
			}
			if err := nameBlobs(ctx, t, s.ws, e.At, f.Blobs); err != nil {
				return err
			}
			seq = e.Seq
		}
		for _, fn := range s.post {
			if err := fn(ctx, t); err != nil {
				return err
			}
		}
		if err := s.applyCounts(ctx, t); err != nil {
			return fmt.Errorf("apply counters: %w", err)
		}
		res, err := t.ExecContext(ctx, `UPDATE space SET live_gen = $1, projected_seq = $2 WHERE id = $3 AND live_gen = $4`,
			s.gen, f.Projected, s.space, s.gen-1)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errGen)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("flip generation %d: %w", s.gen, err)
	}
	s.post = nil
	clear(s.counts)
	return seq, nil
}

// Written tells how many rows were staged and how long the writing took.
func (s *Stage) Written() (rows int64, took time.Duration) { return s.rows, s.writes }
