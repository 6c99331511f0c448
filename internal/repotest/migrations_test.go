package repotest

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"testing"
)

var migrationFile = regexp.MustCompile(`^(\d{4})_[a-z0-9]+(_[a-z0-9]+)*\.sql$`)

// TestMigrations: every migration exists for both engines under the same name,
// and they are numbered without gaps.
func TestMigrations(t *testing.T) {
	const home = "internal/store/migrations"
	engines := map[string][]string{"postgres": nil, "sqlite": nil}
	for _, file := range list(t, ".sql") {
		dir, name := path.Split(file)
		engine := path.Base(dir)
		if path.Dir(path.Clean(dir)) != home {
			continue
		}
		if _, ok := engines[engine]; !ok {
			t.Errorf("%s: migrations are in %s/postgres and %s/sqlite", file, home, home)
			continue
		}
		engines[engine] = append(engines[engine], name)
	}
	for _, engine := range slices.Sorted(maps.Keys(engines)) {
		names := engines[engine]
		slices.Sort(names)
		if len(names) == 0 {
			t.Errorf("%s/%s has no migrations", home, engine)
		}
		for i, name := range names {
			m := migrationFile.FindStringSubmatch(name)
			if want := fmt.Sprintf("%04d", i+1); m == nil || m[1] != want {
				t.Errorf("%s/%s/%s: the next migration is named %s_what_it_does.sql", home, engine, name, want)
			}
		}
	}
	for a, b := range map[string]string{"postgres": "sqlite", "sqlite": "postgres"} {
		for _, name := range engines[a] {
			if !slices.Contains(engines[b], name) {
				t.Errorf("%s/%s/%s has no twin for %s (an empty file with a comment will do)", home, a, name, b)
			}
		}
	}
}
