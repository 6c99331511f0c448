package dedup

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/format/sandbox"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestMain lets the test binary be the child that reads reports, as the product is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Arg {
		if err := sandbox.Child(context.Background(), os.Stdin, os.Stdout, app.Engine); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestDedup shows row ING4 as users see it: the reports of each world are imported
// into a fresh database, and what the API lists as one problem is compared with the
// labels. It prints precision and recall for each class and pair of tools.
func TestDedup(t *testing.T) {
	engine := newEngine(t)
	all := newFigures()
	for _, dir := range worlds(t) {
		w := load(t, engine, dir)
		of := w.imported(t)
		one := newFigures()
		for _, f := range []*figures{one, all} {
			f.count(w, of)
			f.countAlike(w, of)
		}
		t.Logf("%s: %d findings of %d reports, %s", w.Name, len(w.sightings), len(w.Reports), one.total())
		for _, line := range one.failures {
			t.Log(line)
		}
	}
	all.judge(t)
}

// imported gives the cluster of each sighting after its report was imported.
func (w *loaded) imported(t *testing.T) []int {
	t.Helper()
	ctx := context.Background()
	house, err := app.Open(ctx, app.Config{
		Database: filepath.Join(t.TempDir(), "dedup.db"), Workspace: "dedup", Purpose: "test",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	api, err := house.OperatorClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range slices.Sorted(maps.Keys(w.Reports)) {
		r := w.Reports[name]
		for n, file := range []string{r.Before, r.File} {
			if file != "" {
				w.upload(t, api, name, file, day.AddDate(0, 0, n))
			}
		}
	}
	of := make([]int, len(w.sightings))
	for i := range of {
		of[i] = -1 - i
	}
	taken := make([]bool, len(w.sightings))
	clusters := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(w.Reports)) {
		for _, part := range []string{"", " is:duplicate"} {
			err := api.Findings(ctx, client.List{Filter: "source:" + name + part}, func(f *sinew.Finding) error {
				i, err := w.sightingOf(ctx, api, name, f, taken)
				if err != nil {
					return err
				}
				if i < 0 {
					if w.Reports[name].Before == "" {
						t.Errorf("%s: %s %s %s:%d is no sighting of the report", w.Name, name, f.Rule, f.File, f.Line)
					}
					return nil // of the earlier report alone
				}
				taken[i] = true
				lead := f.ID
				if f.PartOf != "" {
					lead = f.PartOf
				}
				if _, ok := clusters[lead]; !ok {
					clusters[lead] = len(clusters)
				}
				of[i] = clusters[lead]
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return of
}

func (w *loaded) upload(t *testing.T, api *client.Client, name, file string, at time.Time) {
	t.Helper()
	r := w.Reports[name]
	body, err := os.Open(filepath.Join(w.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	u := client.Upload{
		Name: filepath.Base(file), Format: r.Format, Source: name, Target: firstOf(r.Target, w.Target), Label: r.Label, Ref: "main",
		Application: "corpus", At: at, Coverage: sinew.CoverageComplete, PathPrefix: r.Prefix, StripPrefix: r.Strip,
	}
	if _, err := api.Import(context.Background(), u, body, true); err != nil {
		t.Fatalf("%s: import %s: %v", w.Name, file, err)
	}
}

// sightingOf finds the sighting of a report that a finding was made of, -1 if there
// is none left. Where a list shows several alike, the finding's own page tells more.
func (w *loaded) sightingOf(ctx context.Context, api *client.Client, name string, f *sinew.Finding, taken []bool) (int, error) {
	key := findingKey(f)
	var alike []int
	for i := range w.sightings {
		if s := &w.sightings[i]; s.report == name && !taken[i] && s.key() == key {
			alike = append(alike, i)
		}
	}
	switch len(alike) {
	case 0:
		return -1, nil
	case 1:
		return alike[0], nil
	}
	detail, err := api.Finding(ctx, f.ID)
	if err != nil {
		return -1, err
	}
	for _, i := range alike {
		if o := w.sightings[i].o; detail.Observation != nil && o.Description == detail.Observation.Description &&
			(o.Endpoint == nil || detail.Observation.Endpoint != nil && *o.Endpoint == *detail.Observation.Endpoint) {
			return i, nil
		}
	}
	return alike[0], nil
}

// Tokens of secrets differ between databases.
var token = regexp.MustCompile(`sinew:secret:[\w-]+:\w+`)

// key is what a list shows of a finding, and tells it from the others of its report.
func (s *sighting) key() string {
	o := s.o
	name, version := "", ""
	if o.Package != nil {
		name, version = o.Package.Name, o.Package.Version
	}
	return strings.Join([]string{
		o.Rule, token.ReplaceAllString(o.Title, ""), identity.PathOf(o), fmt.Sprint(o.Line), o.Host, name, version, store.ResourceText(o.Resource), store.EndpointText(o.Endpoint),
	}, "\x00")
}

func findingKey(f *sinew.Finding) string {
	name, version := "", ""
	if f.Package != nil {
		name, version = f.Package.Name, f.Package.Version
	}
	return strings.Join([]string{
		f.Rule, token.ReplaceAllString(f.Title, ""), f.File, fmt.Sprint(f.Line), f.Host, name, version, store.ResourceText(f.Resource), store.EndpointText(f.Endpoint),
	}, "\x00")
}
