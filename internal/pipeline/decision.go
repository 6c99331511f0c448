package pipeline

import (
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// DecisionEntry is the payload of a decision entry: what was decided, with the
// births of the findings, which hold whatever becomes of their public names.
type DecisionEntry struct {
	Schema string `json:"schema"` // decision/v1
	sinew.Decision
	Births  []int64 `json:"births"`
	Expired bool    `json:"expired,omitempty"` // an earlier decision's time ran out
	Undoes  int64   `json:"undoes,omitempty"`  // seq of the decision that is taken back; the verdict is empty then
}

// decision projects a decision onto the findings that its births are part of.
func (j *projector) decision(ctx context.Context, e sinew.Entry) error {
	d, err := payload[DecisionEntry](e)
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	at := micros(e.At)
	v := store.VerdictRow{
		Seq: e.Seq, Verdict: d.Verdict, Actor: e.Actor, Until: micros(d.Until), Owner: d.Owner, At: at,
		Undoes: d.Undoes, Words: e.Seq, WordsBy: e.Actor,
	}
	if d.Expired {
		v.Verdict = ""
	}
	folds := map[int64]*fold{}
	done := map[int64]bool{} // findings; one may be named by several births
	var decided int64
	for births := range slices.Chunk(d.Births, touchBatch) {
		now, err := j.db.ResolveBirths(ctx, j.space, births)
		if err != nil {
			return err
		}
		byFinding := map[int64]int64{} // finding -> birth
		var ids []int64
		for _, b := range births {
			byFinding[now[b]] = b
			ids = append(ids, now[b])
		}
		rows, err := j.db.FindingsByID(ctx, j.space, ids)
		if err != nil {
			return err
		}
		var back *undoing
		if d.Undoes != 0 {
			if back, err = j.undoing(ctx, d.Undoes, ids, births); err != nil {
				return err
			}
		}
		families := map[int64][]int64{}
		for i := range rows {
			if done[rows[i].ID] {
				continue
			}
			done[rows[i].ID] = true
			families[rows[i].Family] = append(families[rows[i].Family], rows[i].ID)
		}
		for i := range rows { // in order of ids, so that a rebuild does the same
			fam := rows[i].Family
			ids := families[fam]
			if ids == nil {
				continue
			}
			delete(families, fam)
			f := folds[fam]
			if f == nil {
				row, err := j.db.FamilyByID(ctx, j.space, fam)
				if err != nil {
					return err
				}
				if f, err = j.openFold(ctx, st, *row, e); err != nil {
					return err
				}
				if err := f.openStep(ctx, e.Seq); err != nil {
					return err
				}
				folds[fam] = f
			}
			n, err := f.decideAll(ctx, ids, byFinding, v, back)
			if err != nil {
				return err
			}
			decided += n
		}
	}
	for _, f := range folds {
		f.closeLines()
		if err := f.closeStep(ctx, false); err != nil {
			return err
		}
	}
	if !d.Expired { // that the time ran out is told by what stood
		st.SaveDecision(store.DecisionRow{
			Seq: e.Seq, At: at, Actor: e.Actor, Verdict: d.Verdict, Until: v.Until, Owner: d.Owner, Findings: decided, Undoes: d.Undoes,
		})
	}
	if err := j.p.point("staged"); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, nil)
}

// decideAll applies a decision to some findings of the family, or, if back is not
// nil, takes one back where it still stands. It reports to how many.
func (f *fold) decideAll(ctx context.Context, ids []int64, births map[int64]int64, v store.VerdictRow, back *undoing) (n int64, err error) {
	set, err := f.load(ctx, v.At, ids)
	if err != nil {
		return 0, err
	}
	for _, id := range set.order {
		fs := set.findings[id]
		if fs == nil {
			continue
		}
		mine := v
		mine.Birth = births[id]
		if back != nil && !back.restore(&fs.row, &mine) {
			continue
		}
		if back == nil && v.Verdict == "" && !ranOut(&fs.row, v.At) {
			continue // decided anew meanwhile, or ended already
		}
		mine.Was = stood(&fs.row)
		if err := f.st.Verdict(ctx, &mine); err != nil {
			return n, err
		}
		if err := f.decide(ctx, fs, &mine, v.At); err != nil {
			return n, err
		}
		if fs.was.Lead <= 0 {
			n++ // what is part of another is counted in that one
		}
	}
	return n, set.save(ctx)
}

// stood is what a person's decisions have made of a finding.
func stood(row *store.FindingRow) store.Stood {
	if row.VerdictBy == byTool {
		return store.Stood{Owner: row.Owner}
	}
	return store.Stood{Verdict: row.Verdict, By: row.VerdictBy, Words: row.VerdictSeq, Until: row.Until, Owner: row.Owner}
}

// undoing knows what a decision that is taken back replaced.
type undoing struct {
	target int64
	rows   map[int64]store.VerdictRow // finding -> the decision that is taken back
	newest map[int64]int64            // finding -> seq of the newest decision on it
}

// undoing reads what is needed to take back a decision on the findings that the
// births are part of.
func (j *projector) undoing(ctx context.Context, target int64, findings, births []int64) (*undoing, error) {
	return readUndoing(ctx, j.db, j.space, target, findings, births)
}

func readUndoing(ctx context.Context, db *store.DB, space, target int64, findings, births []int64) (*undoing, error) {
	// A finding may have taken in others, with decisions of their own.
	redirects, err := db.Redirects(ctx, space, findings)
	if err != nil {
		return nil, err
	}
	part := make(map[int64]int64, len(findings)+len(redirects))
	all := slices.Clone(births)
	for _, id := range findings {
		part[id], all = id, append(all, id)
	}
	for _, r := range redirects {
		part[r.Old], all = r.New, append(all, r.Old)
	}
	slices.Sort(all)
	verdicts, err := db.VerdictsOf(ctx, space, slices.Compact(all))
	if err != nil {
		return nil, err
	}
	u := &undoing{target: target, rows: map[int64]store.VerdictRow{}, newest: map[int64]int64{}}
	for i := range verdicts {
		id, ok := part[verdicts[i].Birth]
		if !ok {
			continue
		}
		u.newest[id] = max(u.newest[id], verdicts[i].Seq)
		if _, had := u.rows[id]; verdicts[i].Seq == target && !had {
			u.rows[id] = verdicts[i]
		}
	}
	return u, nil
}

// stands reports whether the decision that is to be taken back is what stands on
// a finding: nobody has decided since, its time has not run out, and it has not
// fallen.
func (u *undoing) stands(row *store.FindingRow) bool {
	target, ok := u.rows[row.ID]
	if !ok {
		return false
	}
	now := stood(row)
	if target.Undoes != 0 { // it may have restored what others made, or nothing
		return u.newest[row.ID] == u.target && now.Verdict == target.Verdict && now.Words == target.Words
	}
	return now.Words == u.target && now.Verdict == target.Verdict
}

// restore makes v what stood before the decision that is taken back, and reports
// whether there is something to take back. What would have run out by now is not
// restored.
func (u *undoing) restore(row *store.FindingRow, v *store.VerdictRow) bool {
	if !u.stands(row) {
		return false
	}
	was := u.rows[row.ID].Was
	v.Owner = was.Owner
	v.Verdict, v.WordsBy, v.Words, v.Until = was.Verdict, was.By, was.Words, was.Until
	if was.Until != 0 && was.Until <= v.At {
		v.Verdict, v.WordsBy, v.Words, v.Until = "", "", 0, 0
	}
	return true
}

// ranOut reports whether the time of the standing decision has passed.
func ranOut(row *store.FindingRow, at int64) bool { return row.Until != 0 && row.Until <= at }

// decide makes a verdict the standing one.
func (f *fold) decide(ctx context.Context, fs *findingState, v *store.VerdictRow, at int64) error {
	row := &fs.row
	if row.VerdictBy == byTool {
		row.Verdict, row.VerdictBy = "", ""
	}
	was := row.Verdict
	made, why := identity.DecisionMade, "decided"
	switch {
	case v.Undoes != 0:
		why = "a decision was taken back"
	case v.Verdict == "":
		made, why = identity.DecisionExpired, "the decision's time ran out"
	}
	row.Verdict = identity.StepDecision(row.Verdict, made, v.Verdict)
	row.VerdictBy, row.VerdictSeq, row.Until = v.WordsBy, v.Words, v.Until
	if row.Verdict == "" {
		row.VerdictBy, row.VerdictSeq, row.Until = "", 0, 0
	}
	if v.Owner != "" || v.Undoes != 0 {
		row.Owner = v.Owner
	}
	if err := f.event(ctx, fs, at, "decided", 0, string(was), string(row.Verdict), why); err != nil {
		return err
	}
	return f.headline(ctx, fs, at, change{why: why})
}
