package pipeline

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Deployment says that a version runs in an environment from some time on.
type Deployment struct {
	Schema      string    `json:"schema"` // deployment/v1
	Application string    `json:"application,omitempty"`
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment"`
	Version     string    `json:"version"` // digest or commit
	At          time.Time `json:"at,omitzero"`
	By          string    `json:"by,omitempty"` // the pipeline that deployed

	// Units are the access units that it concerns, where who told of it may not
	// do so for all: what others know of the version stays as it is.
	Units []int64 `json:"units,omitempty"`
}

// Validate reports what keeps d from being recorded.
func (d *Deployment) Validate() error {
	switch {
	case d.Environment == "":
		return sinew.Errorf(sinew.CodeInvalid, "the deployment names no environment").Hint("for example --env prod")
	case len(d.Version) < 7:
		return sinew.Errorf(sinew.CodeInvalid, "the deployment names no version").Hint("name the commit or the digest that runs")
	}
	return nil
}

// concerns reports whether what a unit holds follows the deployment.
func (d *Deployment) concerns(unit int64) bool {
	return len(d.Units) == 0 || slices.Contains(d.Units, unit)
}

func (d *Deployment) versions() []string { return []string{d.Version} }

// runKey names a deployed place within a family.
type runKey struct{ environment, service string }

// key is where the deployment runs: one version at a time does there.
func (d *Deployment) key() runKey {
	service := d.Application
	if d.Service != "" {
		service += "/" + d.Service
	}
	return runKey{d.Environment, service}
}

// captured is a snapshot as the version that it looked at is remembered by.
type captured struct {
	sn *snap
	as func() (*assignment, error)
}

// deployment projects a deployment: every family that looked at the version, and
// every one that was followed in that environment, gets it as what runs there.
func (j *projector) deployment(ctx context.Context, e sinew.Entry) error {
	d, err := payload[Deployment](e)
	if err != nil {
		return err
	}
	at, key := when(d.At, e), d.key()
	families, err := j.db.FamiliesWithVersion(ctx, j.space, d.Version, key.environment, key.service)
	if err != nil {
		return err
	}
	if err := j.loadRules(ctx); err != nil {
		return err
	}
	families = slices.DeleteFunc(families, func(f store.FamilyRow) bool { return !d.concerns(f.Unit) })
	unit := j.units[strings.ToLower(d.Application)]
	if d.Application == "" && len(d.Units) == 1 {
		unit = d.Units[0]
	}
	return j.eventEntry(ctx, e, at, families,
		func(st *store.Stage) error {
			st.SaveDeployment(store.DeploymentRow{
				Seq: e.Seq, Unit: unit, Service: key.service, Environment: d.Environment, Version: d.Version, Units: d.Units, At: at,
			})
			return nil
		},
		func(f *fold) error { return f.applyDeployment(ctx, &d, at) })
}

// applyDeployment makes a deployed place follow a version: what its newest
// snapshot says is what runs; if there is none, the scope is lost.
func (f *fold) applyDeployment(ctx context.Context, d *Deployment, at int64) error {
	if !d.concerns(f.fam.Unit) {
		return nil
	}
	key := d.key()
	if f.running != nil {
		f.running[key] = d.Version
	}
	if overtaken, err := f.overtaken(ctx, d, at); err != nil || overtaken {
		return err
	}
	c, err := f.newestOf(ctx, d.Version)
	if err != nil {
		return err
	}
	pl := f.deployedPlace(key, c != nil)
	if pl == nil {
		return nil
	}
	if c != nil {
		return f.deployed(ctx, pl, c, at)
	}
	why := "nothing has looked at the version deployed in " + d.Environment
	err = f.eachIn(ctx, pl, at, func(fs *findingState, p *presenceState) error {
		return f.step(ctx, fs, p, at, identity.EventScopeLost, sinew.BasisNone, why)
	})
	if err != nil {
		return err
	}
	pl.Version = d.Version
	f.savePlace(pl)
	f.phase++
	return nil
}

// deployed makes a deployed place what a snapshot says.
func (f *fold) deployed(ctx context.Context, pl *store.PlaceRow, c *captured, at int64) error {
	as, err := c.as()
	if err != nil {
		return err
	}
	if err := f.st.Flush(ctx); err != nil {
		return err
	}
	// By which passes it was matched says nothing of what is deployed.
	return f.apply(ctx, pl, c.sn, at, &assignment{ids: as.ids, pass: as.pass}, nil, false)
}

// deployedPlace finds the place of what runs somewhere, or makes it.
func (f *fold) deployedPlace(key runKey, create bool) *store.PlaceRow {
	for _, p := range f.places {
		if p.Kind == sinew.PlaceDeployed && p.Environment == key.environment && p.Service == key.service {
			return p
		}
	}
	if !create {
		return nil
	}
	p := &store.PlaceRow{
		ID: f.nextPlace(), Family: f.fam.ID, Kind: sinew.PlaceDeployed, Environment: key.environment, Service: key.service,
	}
	f.addPlace(p)
	return p
}

// newestOf gives the newest snapshot of a version, nil if there is none that
// says anything.
func (f *fold) newestOf(ctx context.Context, v string) (*captured, error) {
	if f.versions != nil {
		if c, ok := f.versions[v]; ok {
			return &c, nil
		}
		return nil, nil
	}
	rows, err := f.j.db.SnapshotsOf(ctx, f.j.space, f.fam.ID)
	if err != nil {
		return nil, err
	}
	var items []*item
	digests := map[int64][32]byte{}
	for i := range rows {
		if rows[i].Version != v && rows[i].Commit != v {
			continue
		}
		if gone, err := f.j.gone(ctx, rows[i].Seq); err != nil {
			return nil, err
		} else if gone {
			continue
		}
		sn, err := f.j.snapshotEntry(ctx, rows[i].Seq)
		if err != nil {
			return nil, err
		}
		if err := f.j.now(ctx, sn, &rows[i]); err != nil {
			return nil, err
		}
		if sn.S.Coverage.Status == sinew.CoverageFailed {
			continue
		}
		items = append(items, &item{seq: sn.Seq, at: sn.At, sn: sn})
		digests[sn.Seq] = [32]byte(rows[i].Assignment)
	}
	if len(items) == 0 {
		return nil, nil
	}
	items = ordered(items)
	sn := items[len(items)-1].sn
	return &captured{sn: sn, as: func() (*assignment, error) { return f.j.readAssignment(ctx, sn, digests[sn.Seq]) }}, nil
}

// follow makes the places where the version of a snapshot runs what it says.
func (f *fold) follow(ctx context.Context, sn *snap, as func() (*assignment, error)) error {
	if sn.S.Coverage.Status == sinew.CoverageFailed || sn.S.Commit == "" && sn.S.Digest == "" {
		return nil
	}
	c := captured{sn: sn, as: as}
	running := f.running
	if running == nil {
		var err error
		if running, err = f.liveDeployments(ctx); err != nil {
			return err
		}
	} else {
		for _, v := range []string{sn.S.Commit, sn.S.Digest} {
			if v != "" {
				f.versions[v] = c
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(running), func(a, b runKey) int {
		return cmp.Or(cmp.Compare(a.environment, b.environment), cmp.Compare(a.service, b.service))
	})
	for _, key := range keys {
		if v := running[key]; v != sn.S.Commit && v != sn.S.Digest {
			continue
		}
		pl := f.deployedPlace(key, true)
		if f.seenAfter(pl, sn.At) {
			continue
		}
		if err := f.deployed(ctx, pl, &c, sn.At); err != nil {
			return err
		}
	}
	return nil
}

// liveDeployments tells which version runs where.
func (f *fold) liveDeployments(ctx context.Context) (map[runKey]string, error) {
	rows, err := f.j.db.Deployments(ctx, f.j.space)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b store.DeploymentRow) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Seq, b.Seq))
	})
	running := map[runKey]string{}
	for _, d := range rows {
		if !d.Concerns(f.fam.Unit) {
			continue
		}
		running[runKey{d.Environment, d.Service}] = d.Version
	}
	return running, nil
}
