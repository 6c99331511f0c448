package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Decide records what a person decided about findings. He needs the developer
// role on the unit of each; one that he may not see does not exist for him.
func (p *Pipeline) Decide(ctx context.Context, r sinew.Reader, d sinew.Decision, key string) (store.Accepted, error) {
	if err := d.Validate(); err != nil {
		return store.Accepted{}, err
	}
	if len(d.Findings) > maxDecided {
		return store.Accepted{}, sinew.Errorf(sinew.CodeTooLarge, "a decision may name %d findings, not %d", maxDecided, len(d.Findings))
	}
	if !d.Until.IsZero() && !d.Until.After(p.db.Now()) {
		return store.Accepted{}, sinew.Errorf(sinew.CodeInvalid, "the decision would have ended already").Hint("give a time that lies ahead")
	}
	d.Until = d.Until.UTC().Truncate(time.Microsecond)
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return store.Accepted{}, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return store.Accepted{}, err
	}
	births := make([]int64, len(d.Findings))
	for i, id := range d.Findings {
		if births[i], err = sinew.ParsePublicID(ws.UUID, sinew.IDFinding, id); err != nil {
			return store.Accepted{}, err
		}
	}
	units, err := p.findingUnits(ctx, r, space.ID, d.Findings, births)
	if err != nil {
		return store.Accepted{}, err
	}
	slices.Sort(births)
	entry := DecisionEntry{Schema: "decision/v1", Decision: d, Births: slices.Compact(births)}
	return p.acceptJSON(ctx, r, sinew.EntryDecision, entry, units, key, d)
}

// maxDecided is how many findings one decision may name.
const maxDecided = 100_000

// findingUnits gives the access units of findings that r sees.
func (p *Pipeline) findingUnits(ctx context.Context, r sinew.Reader, space int64, names []string, births []int64) ([]int64, error) {
	now, err := p.db.ResolveBirths(ctx, space, births)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(births))
	for _, b := range births {
		ids = append(ids, now[b])
	}
	slices.Sort(ids)
	rows, err := p.db.FindingsByID(ctx, space, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	unitOf := make(map[int64]int64, len(rows))
	var units []int64
	for i := range rows {
		unitOf[rows[i].ID] = rows[i].Unit
		if !slices.Contains(units, rows[i].Unit) {
			units = append(units, rows[i].Unit)
		}
	}
	for i, b := range births {
		unit, ok := unitOf[now[b]]
		if !ok || !r.Can(sinew.RoleViewer, unit) {
			return nil, sinew.Errorf(sinew.CodeNotFound, "there is no finding %s", names[i])
		}
	}
	return units, nil
}

// acceptJSON accepts an entry. What was asked, without what we add to it, is
// what makes a repeated request the same.
func (p *Pipeline) acceptJSON(ctx context.Context, r sinew.Reader, kind sinew.EntryKind, entry any, units []int64, key string, asked any) (store.Accepted, error) {
	b, err := json.Marshal(asked)
	if err != nil {
		return store.Accepted{}, fmt.Errorf("encode the request: %w", err)
	}
	return p.db.Accept(ctx, r, store.Accept{
		Kind: kind, Payload: entry, Units: units, Idempotency: key, Request: sha256.Sum256(append([]byte(kind+"\x00"), b...)),
	})
}

// SetRules replaces the rules: applications, services, environments and which
// refs count. It needs the admin role on everything.
func (p *Pipeline) SetRules(ctx context.Context, r sinew.Reader, document, key string) (store.Accepted, error) {
	if _, err := identity.ParseRules([]byte(document)); err != nil {
		return store.Accepted{}, err
	}
	entry := RulesEntry{Schema: "rules-entry/v1", Document: document}
	return p.acceptJSON(ctx, r, sinew.EntryRules, entry, nil, key, entry)
}

// PreviewRules says how many findings would belong to another application or
// service under other rules.
func (p *Pipeline) PreviewRules(ctx context.Context, r sinew.Reader, document string) (moved int, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return 0, sinew.Errorf(sinew.CodeDenied, "rules need the role admin").Hint("ask an administrator of the workspace")
	}
	rules, err := identity.ParseRules([]byte(document))
	if err != nil {
		return 0, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return 0, err
	}
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return 0, err
	}
	old, err := p.db.ProjectedUnits(ctx, space.ID)
	if err != nil {
		return 0, err
	}
	units, err := newUnits(old, rules.Units(), 1<<30) // new ones get ids that none has
	if err != nil {
		return 0, err
	}
	j := &projector{
		p: p, db: p.db, ws: ws, space: space.ID, lease: nil,
		bodies: map[int64][32]byte{}, services: map[int64]string{},
	}
	j.setRules(rules, units)
	families, err := p.db.FamiliesOf(ctx, space.ID, "")
	if err != nil {
		return 0, err
	}
	for _, fam := range families {
		n, err := j.previewFamily(ctx, fam)
		if err != nil {
			return 0, err
		}
		moved += n
	}
	return moved, nil
}

func (j *projector) previewFamily(ctx context.Context, fam store.FamilyRow) (moved int, err error) {
	f, err := j.openFold(ctx, nil, fam, sinew.Entry{})
	if err != nil {
		return 0, err
	}
	defer f.closeLines()
	f.setFamilyUnit()
	after := int64(-1)
	for {
		page, err := j.db.FindingPage(ctx, j.space, store.FindingCond{Family: fam.ID}, after, touchBatch)
		if err != nil {
			return moved, err
		}
		ids := make([]int64, len(page))
		for i := range page {
			ids[i] = page[i].ID
		}
		set, err := f.read(ctx, ids)
		if err != nil {
			return moved, err
		}
		for _, id := range set.order {
			fs := set.findings[id]
			if fs == nil {
				continue
			}
			if err := f.assign(ctx, fs); err != nil {
				return moved, err
			}
			if fs.row.Unit != fs.was.Unit || fs.row.Service != fs.was.Service {
				moved++
			}
		}
		if len(page) < touchBatch {
			return moved, nil
		}
		after = page[len(page)-1].ID
	}
}

// RefEvent records what happened to a ref of a target.
func (p *Pipeline) RefEvent(ctx context.Context, r sinew.Reader, ev RefEvent, key string) (store.Accepted, error) {
	ev.Schema = "ref/v1"
	ev.Ref, ev.Into = identity.NormalRef(ev.Ref), identity.NormalRef(ev.Into)
	ev.At = ev.At.UTC().Truncate(time.Microsecond)
	if err := ev.Validate(); err != nil {
		return store.Accepted{}, err
	}
	units, err := p.targetUnits(ctx, r, ev.Target)
	if err != nil {
		return store.Accepted{}, err
	}
	return p.acceptJSON(ctx, r, sinew.EntryRef, ev, units, key, ev)
}

// targetUnits gives the access units of what is known of a target.
func (p *Pipeline) targetUnits(ctx context.Context, r sinew.Reader, target string) ([]int64, error) {
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	families, err := p.db.FamiliesOf(ctx, space.ID, target)
	if err != nil {
		return nil, err
	}
	rules, rows, err := rulesOf(ctx, p.db, space.ID)
	if err != nil {
		return nil, err
	}
	unit, _ := familyUnit(rules, unitNames(rows), sinew.Stream{Target: target}, "")
	units := []int64{unit}
	seen := r.Can(sinew.RoleViewer, unit)
	if len(families) > 0 {
		units, seen = nil, false
	}
	for _, f := range families {
		seen = seen || r.Can(sinew.RoleViewer, f.Unit)
		if !slices.Contains(units, f.Unit) {
			units = append(units, f.Unit)
		}
	}
	if !seen {
		return nil, sinew.Errorf(sinew.CodeNotFound, "there is no target %q", target)
	}
	return units, nil
}

// Deploy records that a version runs in an environment.
func (p *Pipeline) Deploy(ctx context.Context, r sinew.Reader, d Deployment, key string) (store.Accepted, error) {
	d.Schema = "deployment/v1"
	d.At = d.At.UTC().Truncate(time.Microsecond)
	if err := d.Validate(); err != nil {
		return store.Accepted{}, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return store.Accepted{}, err
	}
	units := []int64{sinew.UnassignedUnit}
	if d.Application != "" {
		rows, err := p.db.ProjectedUnits(ctx, space.ID)
		if err != nil {
			return store.Accepted{}, err
		}
		unit, ok := unitNames(rows)[strings.ToLower(d.Application)]
		if !ok || !r.Can(sinew.RoleViewer, unit) {
			return store.Accepted{}, sinew.Errorf(sinew.CodeNotFound, "there is no application %q", d.Application).
				Hint("sinew app list shows those that you may see")
		}
		units = []int64{unit}
	}
	// What runs decides the state of every family that looked at the version.
	key2 := d.key()
	families, err := p.db.FamiliesWithVersion(ctx, space.ID, d.Version, key2.environment, key2.service)
	if err != nil {
		return store.Accepted{}, err
	}
	if d.Application == "" && len(families) > 0 {
		units = nil
	}
	for _, f := range families {
		if !slices.Contains(units, f.Unit) {
			units = append(units, f.Unit)
		}
	}
	return p.acceptJSON(ctx, r, sinew.EntryDeployment, d, units, key, d)
}

// EndAsset records that a machine or other asset is no more.
func (p *Pipeline) EndAsset(ctx context.Context, r sinew.Reader, asset sinew.AssetKey, at time.Time, key string) (store.Accepted, error) {
	if !asset.Kind.Known() || asset.Key == "" {
		return store.Accepted{}, sinew.Errorf(sinew.CodeInvalid, "%q names no asset", asset).Hint("for example compute:web-1.example.org")
	}
	end := AssetEnd{Schema: "asset_end/v1", Asset: asset, At: at.UTC().Truncate(time.Microsecond)}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return store.Accepted{}, err
	}
	families, err := p.db.FamiliesOn(ctx, space.ID, asset.Key)
	if err != nil {
		return store.Accepted{}, err
	}
	var units []int64
	seen := false
	for _, f := range families {
		seen = seen || r.Can(sinew.RoleViewer, f.Unit)
		if !slices.Contains(units, f.Unit) {
			units = append(units, f.Unit)
		}
	}
	if len(families) == 0 {
		units, seen = []int64{sinew.UnassignedUnit}, r.Can(sinew.RoleViewer, sinew.UnassignedUnit)
	}
	if !seen {
		return store.Accepted{}, sinew.Errorf(sinew.CodeNotFound, "there is no asset %s", asset)
	}
	return p.acceptJSON(ctx, r, sinew.EntryAssetEnd, end, units, key, end)
}

// Expire logs the end of the decisions whose time has passed, so that a rebuild
// sees it where it happened. It reports how many findings that concerns.
func (p *Pipeline) Expire(ctx context.Context, ws int64) (int, error) {
	space, err := p.db.LiveSpace(ctx, ws)
	if err != nil {
		return 0, err
	}
	total := 0
	for {
		births, err := p.db.ExpiredDecisions(ctx, space.ID, micros(p.db.Now()), 10_000)
		if err != nil || len(births) == 0 {
			return total, err
		}
		entry := DecisionEntry{
			Schema: "decision/v1", Births: births, Expired: true,
			Decision: sinew.Decision{Verdict: sinew.VerdictReopen, Reason: "the decision's time ran out"},
		}
		a, err := p.db.Accept(ctx, store.System(ws), store.Accept{
			Kind: sinew.EntryDecision, Payload: entry, Units: []int64{sinew.UnassignedUnit},
		})
		if err != nil {
			return total, err
		}
		total += len(births)
		if _, err := p.ProjectUntil(ctx, ws, a.Seq); err != nil {
			return total, err
		}
	}
}
