// Package app is the house: it wires a running process from its parts - master
// key, store, formats, pipeline, server - and takes it down again in order. It
// holds no behaviour of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Config says what to open.
type Config struct {
	Database   string // path of a SQLite file, or postgres://...
	KeyFile    string // master key; empty for Key, else the file beside SQLite
	Key        string // the value of SINEW_KEY
	Workspace  string // made when it is missing
	FormatsDir string // mapping files that add to or override the built-in ones
	SpoolDir   string
	Front      Front  // of a server
	Limits     Limits // of a server
	Purpose    string // named to others that want the lease
	Version    string
	Logger     *slog.Logger
}

// App is an open house.
type App struct {
	Store     *store.DB
	Engine    *format.Engine
	Pipeline  *pipeline.Pipeline
	Keys      pipeline.Keys
	Workspace sinew.Workspace
	Config    Config
}

// Engine has the built-in formats, read when they are first asked for, and those of
// dir, if it is not empty: these are the operator's own, and checked at once.
func Engine(dir string) (*format.Engine, error) {
	if dir == "" {
		return format.Later(formats.Files), nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, sinew.Errorf(sinew.CodeInvalid, "the directory of formats cannot be read").At(dir).
			Hint("make it, or leave --formats out")
	}
	return format.New(formats.Files, os.DirFS(dir))
}

// EngineWith is [Engine] with one more mapping file, which may stand anywhere.
func EngineWith(dir, file string) (*format.Engine, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	layers := []fs.FS{formats.Files}
	if dir != "" {
		layers = append(layers, os.DirFS(dir))
	}
	return format.New(append(layers, oneFile{name: filepath.Base(file), text: text})...)
}

// oneFile is a file system with one file, as far as the format engine looks.
type oneFile struct {
	name string
	text []byte
}

func (f oneFile) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
func (f oneFile) Glob(string) ([]string, error)   { return []string{f.name}, nil }
func (f oneFile) ReadFile(string) ([]byte, error) { return f.text, nil }

// Open opens the house. The caller closes it.
func Open(ctx context.Context, c Config) (_ *App, err error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{Config: c}
	if a.Engine, err = Engine(c.FormatsDir); err != nil {
		return nil, err
	}
	if a.Keys, err = loadKeys(c); err != nil {
		return nil, err
	}
	a.Store, err = store.Open(ctx, c.Database, store.Options{Version: c.Version, Purpose: c.Purpose, Logger: slog.New(atLeast{slog.LevelWarn, c.Logger.Handler()})})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Store.Close())
		}
	}()
	if a.Workspace, err = workspace(ctx, a.Store, c.Workspace); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program that parses: %w", err)
	}
	a.Pipeline = pipeline.New(a.Store, pipeline.Options{
		Parser: pipeline.Child{Exe: exe, Engine: a.Engine, FormatsDir: c.FormatsDir},
		Keys:   a.Keys, SpoolDir: c.SpoolDir, Purpose: c.Purpose,
	})
	return a, nil
}

// Close takes the house down.
func (a *App) Close() error { return a.Store.Close() }

// atLeast is a log handler that leaves the chatter of the job queue out.
type atLeast struct {
	level slog.Level
	slog.Handler
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements [slog.Handler].
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.level, h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.level, h.Handler.WithGroup(name)}
}

// workspace finds or makes the workspace. Two processes that start at once end
// up with the same one.
func workspace(ctx context.Context, db *store.DB, name string) (sinew.Workspace, error) {
	ws, err := db.Workspace(ctx, name)
	if sinew.CodeOf(err) != sinew.CodeNotFound {
		return ws, err
	}
	ws, err = db.CreateWorkspace(ctx, name)
	if sinew.CodeOf(err) == sinew.CodeConflict {
		return db.Workspace(ctx, name)
	}
	return ws, err
}

// IsPostgres tells a PostgreSQL URL from a path.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}
