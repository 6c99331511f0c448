package store_test

import (
	"path/filepath"
	"testing"

	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB) string { return filepath.Join(t.TempDir(), "sinew.db") })
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, pgtest.URL)
}
