package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
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
	if births, err = p.db.WithClusters(ctx, space.ID, births); err != nil {
		return store.Accepted{}, err
	}
	if len(births) > maxDecided {
		return store.Accepted{}, sinew.Errorf(sinew.CodeTooLarge, "with what is part of them these are %d findings; a decision may name %d", len(births), maxDecided)
	}
	slices.Sort(births)
	entry := DecisionEntry{Schema: "decision/v1", Decision: d, Births: slices.Compact(births)}
	if len(entry.Findings) > namedInEntry {
		entry.Findings = nil // the births say it in a third of the space
	}
	return p.acceptJSON(ctx, r, sinew.EntryDecision, entry, units, key, d)
}

const (
	maxDecided   = 100_000 // findings that one decision may name
	namedInEntry = 100     // of which the log has the public names too, for people
)

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
	request, err := digestOf(kind, asked)
	if err != nil {
		return store.Accepted{}, err
	}
	return p.db.Accept(ctx, r, store.Accept{Kind: kind, Payload: entry, Units: units, Idempotency: key, Request: request})
}

// repeated gives what the same request with this key became before; Duplicate is
// false if there was none.
func (p *Pipeline) repeated(ctx context.Context, r sinew.Reader, kind sinew.EntryKind, key string, asked any) (store.Accepted, error) {
	request, err := digestOf(kind, asked)
	if err != nil || key == "" {
		return store.Accepted{}, err
	}
	return p.db.Earlier(ctx, r, key, request)
}

func digestOf(kind sinew.EntryKind, asked any) ([32]byte, error) {
	b, err := json.Marshal(asked)
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode the request: %w", err)
	}
	return sha256.Sum256(append([]byte(kind+"\x00"), b...)), nil
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
	asked := d
	if r.All.Allows(sinew.RoleDeveloper) {
		return p.acceptJSON(ctx, r, sinew.EntryDeployment, d, units, key, asked)
	}
	// What runs decides the state of every family that looked at the version, as
	// far as the sender may decide that. What others know of the version is
	// neither changed nor told: it is as if they did not know it.
	where := d.key()
	families, err := p.db.FamiliesWithVersion(ctx, space.ID, d.Version, where.environment, where.service)
	if err != nil {
		return store.Accepted{}, err
	}
	var own []int64
	for _, f := range families {
		if r.Can(sinew.RoleDeveloper, f.Unit) && !slices.Contains(own, f.Unit) {
			own = append(own, f.Unit)
		}
	}
	if d.Application != "" || len(own) == 0 {
		own = append(own, units...)
	}
	slices.Sort(own)
	d.Units = slices.Compact(own)
	return p.acceptJSON(ctx, r, sinew.EntryDeployment, d, d.Units, key, asked)
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
// sees it where it happened, and projects it. It reports how many findings that
// concerns. It looks and logs while it holds the lease, so that two processes do
// not log one end twice; where another process has the lease it does nothing and
// is no error: what is due stays due, and the next call finds it.
func (p *Pipeline) Expire(ctx context.Context, ws int64) (int, error) {
	space, err := p.db.LiveSpace(ctx, ws)
	if err != nil {
		return 0, err
	}
	if due, err := p.db.ExpiredDecisions(ctx, space.ID, micros(p.db.Now()), 1); err != nil || len(due) == 0 {
		return 0, err
	}
	total := 0
	err = p.withLease(ctx, ws, func(ctx context.Context, lease *store.Lease) error {
		for {
			space, err := p.catchUp(ctx, lease)
			if err != nil {
				return err
			}
			births, err := p.db.ExpiredDecisions(ctx, space, micros(p.db.Now()), expireBatch)
			if err != nil || len(births) == 0 {
				return err
			}
			_, err = p.db.Accept(ctx, store.System(ws), store.Accept{
				Kind: sinew.EntryDecision, Units: []int64{sinew.UnassignedUnit},
				Payload: DecisionEntry{
					Schema: "decision/v1", Births: births, Expired: true,
					Decision: sinew.Decision{Verdict: sinew.VerdictReopen, Reason: "the decision's time ran out"},
				},
			})
			if err != nil {
				return err
			}
			total += len(births)
		}
	})
	if errors.Is(err, store.ErrLeased) || errors.Is(err, store.ErrFenced) {
		return total, nil
	}
	return total, err
}

// expireBatch is how many findings one entry names whose decision ended.
const expireBatch = 10_000
