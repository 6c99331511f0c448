// Package pgtest gives a test a real, empty PostgreSQL database of its own. It
// never skips: without a server it fails and says how to install one. It is for
// tests only, and nothing that ships may import it.
package pgtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// URL creates an empty database for one test, gives its postgres:// URL, and
// drops it when the test ends, whoever is still connected. The user is a
// superuser.
//
// The server is the one that SINEW_TEST_POSTGRES names (a postgres:// URL of a
// superuser); otherwise one is started that lives as long as this process.
// `make test` starts one for all packages, which is faster.
func URL(t testing.TB) string {
	t.Helper()
	u, drop, err := Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// Create is URL for callers without a testing.TB, such as the set-up of a
// testscript. The caller calls drop once.
func Create(ctx context.Context) (u string, drop func() error, err error) {
	srv, err := running()
	if err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	base := srv.url
	parsed, err := url.Parse(base)
	if err != nil {
		return "", nil, fmt.Errorf("pgtest: read SINEW_TEST_POSTGRES: %w", err)
	}
	name := "sinew_" + strings.ToLower(rand.Text())
	if err := execute(ctx, base, "CREATE DATABASE "+name); err != nil {
		return "", nil, fmt.Errorf("pgtest: create database: %w", err)
	}
	parsed.Path = "/" + name
	return parsed.String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := execute(ctx, base, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("pgtest: drop database: %w", err)
		}
		return nil
	}, nil
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

type server struct {
	url   string
	stdin io.Closer // held open: the server ends with it
}

// running gives the server that this process uses.
var running = sync.OnceValues(func() (server, error) {
	if u := os.Getenv("SINEW_TEST_POSTGRES"); u != "" {
		return server{url: u}, nil
	}
	return start()
})

// start runs scripts/with-postgres around a command that prints the URL and
// then waits for the end of its input, which is the end of this process: the
// server goes away with us however we end.
func start() (server, error) {
	root, err := moduleRoot()
	if err != nil {
		return server{}, err
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "with-postgres"),
		"sh", "-c", `echo "$SINEW_TEST_POSTGRES"; exec cat >/dev/null`)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return server{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return server{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return server{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		waitErr := cmd.Wait()
		return server{}, fmt.Errorf("start PostgreSQL: %w\n%s", waitErr, complaint.Bytes())
	}
	return server{url: strings.TrimSpace(line), stdin: stdin}, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "scripts", "with-postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("find the module's root: no scripts/with-postgres above the working directory")
}
