package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// keyMember is the master key's name in a backup.
const keyMember = "master.key"

// Backup writes everything that cannot be built again, the master key included.
func (a *App) Backup(ctx context.Context, w io.Writer) error {
	_, err := a.Store.Backup(ctx, w, map[string][]byte{keyMember: []byte(a.Keys.Text() + "\n")})
	return err
}

// Restored is what a restore brought back.
type Restored struct {
	Workspaces []string `json:"workspaces"`
	Entries    int64    `json:"entries"`
	History    []string `json:"history_hashes"` // of the workspaces, in their order
	KeyFile    string   `json:"key_file,omitempty"`
}

// Restore reads a backup into an empty database, puts the master key where it
// belongs, and builds the projections of every workspace again.
func Restore(ctx context.Context, c Config, from io.Reader) (_ *Restored, err error) {
	db, err := store.Open(ctx, c.Database, store.Options{Version: c.Version, Purpose: c.Purpose})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	done, err := db.Restore(ctx, from)
	if err != nil {
		return nil, err
	}
	out := &Restored{}
	if out.KeyFile, err = placeKey(c, done.Files[keyMember]); err != nil {
		return nil, err
	}
	keys, err := loadKeys(c)
	if err != nil {
		return nil, err
	}
	engine, err := Engine(c.FormatsDir)
	if err != nil {
		return nil, err
	}
	way := pipeline.New(db, pipeline.Options{Parser: pipeline.InProcess{Engine: engine}, Keys: keys, Purpose: c.Purpose})
	list, err := db.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, ws := range list {
		if err := way.Project(ctx, ws.ID); err != nil {
			return nil, fmt.Errorf("build workspace %s: %w", ws.Name, err)
		}
		head, _, err := db.Head(ctx, ws.ID)
		if err != nil {
			return nil, err
		}
		space, err := db.LiveSpace(ctx, ws.ID)
		if err != nil {
			return nil, err
		}
		history, err := db.HistoryHash(ctx, space.ID)
		if err != nil {
			return nil, err
		}
		out.Workspaces = append(out.Workspaces, ws.Name)
		out.History = append(out.History, history.String())
		out.Entries += head
	}
	return out, nil
}

// placeKey writes the backup's master key to the key file, unless one is given by
// the environment. A key file that is there must hold the same key.
func placeKey(c Config, text []byte) (string, error) {
	file := c.keyFile()
	if len(text) == 0 || c.Key != "" || file == "" {
		return "", nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrExist) {
		have, err := pipeline.LoadKeys("", file, false)
		if err != nil {
			return "", err
		}
		want, err := pipeline.ParseKeys(string(text))
		if err != nil {
			return "", fmt.Errorf("read the backup's key: %w", err)
		}
		if have != want {
			return "", sinew.Errorf(sinew.CodeConflict, "the key file holds another key than the backup").
				At(file).Hint("move it away, and restore into an empty database again")
		}
		return file, nil
	}
	if err != nil {
		return "", fmt.Errorf("write the key file: %w", err)
	}
	_, err = f.Write(text)
	return file, errors.Join(err, f.Sync(), f.Close())
}

// keyFile is where the master key lies, empty where only the environment has it.
func (c Config) keyFile() string {
	if c.KeyFile == "" && !IsPostgres(c.Database) {
		return pipeline.KeyFile(c.Database)
	}
	return c.KeyFile
}

// loadKeys reads the master key, and makes one on the first start.
func loadKeys(c Config) (pipeline.Keys, error) {
	file := c.keyFile()
	if file != "" && c.Key == "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return pipeline.Keys{}, fmt.Errorf("make the directory of the key file: %w", err)
		}
	}
	return pipeline.LoadKeys(c.Key, file, true)
}
