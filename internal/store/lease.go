package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// leaseTime is how long a holder may be silent. Only a holder on another
// machine is waited for so long: here a dead process is recognised.
const leaseTime = 15 * time.Second

// ErrLeased says that another process projects the workspace. The error that
// wraps it names that process.
var ErrLeased = errors.New("the lease is held")

// ErrFenced says that somebody else took the lease meanwhile: nothing of what
// the holder staged counts.
var ErrFenced = errors.New("the lease was lost")

// Lease is the right to project a workspace, until somebody with a higher fence
// has it. See docs/decisions/007-accept-then-project.md.
type Lease struct {
	Workspace int64
	Fence     int64
	db        *DB
}

// AcquireLease takes the lease of a workspace. It is taken at once when it is
// free, expired, or held by a process of this machine that is dead. Otherwise
// the error wraps [ErrLeased], has code conflict and names the holder.
func (db *DB) AcquireLease(ctx context.Context, workspace int64, purpose string) (*Lease, error) {
	lease := &Lease{Workspace: workspace, db: db}
	me := thisProcess()
	err := db.write(ctx, func(t *tx) error {
		// A row to lock, first of all: whoever stages locks the lease before
		// the workspace.
		if _, err := t.ExecContext(ctx, `
			INSERT INTO lease (workspace_id, holder, host, pid, started, fence, expires_at) VALUES ($1, '', '', 0, '', 0, 0)
			ON CONFLICT (workspace_id) DO NOTHING`, workspace); err != nil {
			return err
		}
		var holder, host, started string
		var pid int
		var expires int64
		err := t.QueryRowContext(ctx, `SELECT holder, host, pid, started, fence, expires_at FROM lease WHERE workspace_id = $1`+db.dialect.forUpdate, workspace).
			Scan(&holder, &host, &pid, &started, &lease.Fence, &expires)
		if err != nil {
			return err
		}
		now := db.Now()
		if expires > micros(now) && (host != me.host || !dead(pid, started)) {
			held := sinew.Errorf(sinew.CodeConflict, "the database is in use by %s", holder).
				Hint("send the command to it with --server, or wait until it ends")
			held.Err = ErrLeased
			return held
		}
		lease.Fence++
		_, err = t.ExecContext(ctx, `
			UPDATE lease SET holder = $2, host = $3, pid = $4, started = $5, fence = $6, expires_at = $7 WHERE workspace_id = $1`,
			workspace, me.name(purpose), me.host, me.pid, me.started, lease.Fence, micros(now.Add(leaseTime)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take the lease: %w", err)
	}
	return lease, nil
}

// Renew moves the end of the lease. It fails with [ErrFenced] when somebody
// else has it.
func (l *Lease) Renew(ctx context.Context) error {
	err := l.db.write(ctx, func(t *tx) error {
		return l.set(ctx, t, micros(l.db.Now().Add(leaseTime)))
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}

// Release gives the lease back. One that was lost already is no error.
func (l *Lease) Release(ctx context.Context) error {
	err := l.db.write(ctx, func(t *tx) error {
		if err := l.set(ctx, t, 0); err != nil {
			return err
		}
		return dropMootJobs(ctx, t, l.Workspace)
	})
	if err != nil && !errors.Is(err, ErrFenced) {
		return fmt.Errorf("release the lease: %w", err)
	}
	return nil
}

func (l *Lease) set(ctx context.Context, t *tx, expires int64) error {
	res, err := t.ExecContext(ctx, `UPDATE lease SET expires_at = $1 WHERE workspace_id = $2 AND fence = $3`, expires, l.Workspace, l.Fence)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrFenced)
	}
	return nil
}

// Keep renews the lease in the background. The context it returns ends when the
// lease is lost (its cause is [ErrFenced]) or stop is called.
func (l *Lease) Keep(ctx context.Context) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(leaseTime / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
				if err := l.Renew(held); errors.Is(err, ErrFenced) {
					cancel(err)
				}
			}
		}
	}()
	return held, func() { cancel(nil); <-done }
}

// checkFence fails with [ErrFenced] unless l is still the newest lease, and
// keeps it so until t ends. Every transaction of a projector calls it first.
func checkFence(ctx context.Context, t *tx, l *Lease) error {
	var fence int64
	err := t.QueryRowContext(ctx, `SELECT fence FROM lease WHERE workspace_id = $1`+t.db.dialect.forShare, l.Workspace).Scan(&fence)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("check the lease: %w", err)
	}
	if fence != l.Fence {
		return ErrFenced
	}
	return nil
}

// LeaseHolder says who holds the lease of a workspace, "" for nobody.
func (db *DB) LeaseHolder(ctx context.Context, workspace int64) (string, error) {
	var holder string
	err := db.reader.QueryRowContext(ctx, `SELECT holder FROM lease WHERE workspace_id = $1 AND expires_at > $2`,
		workspace, micros(db.Now())).Scan(&holder)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return holder, err
}

// process names a process so that a later one with its number is told apart.
type process struct {
	host    string // machine, and the namespace that the number counts in
	pid     int
	started string // "" where the system doesn't tell
}

func thisProcess() process {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	if space, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		host += " " + space
	}
	p := process{host: host, pid: os.Getpid()}
	p.started, _ = processStart(p.pid)
	return p
}

func (p process) name(purpose string) string {
	host, _, _ := strings.Cut(p.host, " ")
	if purpose == "" {
		purpose = "sinew"
	}
	return fmt.Sprintf("%s (process %d on %s)", purpose, p.pid, host)
}

// dead reports whether a process of this machine certainly is no more. Where
// the system doesn't tell, nobody is, and leases end by expiry only.
func dead(pid int, started string) bool {
	if started == "" {
		return false
	}
	now, known := processStart(pid)
	return known && now != started
}

// processStart gives the boot and the clock tick at which a process started, ""
// for one that does not run. known is false where there is no /proc.
func processStart(pid int) (started string, known bool) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", errors.Is(err, os.ErrNotExist)
	}
	// The second field is a name in parentheses that may hold anything.
	_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", false
	}
	if fields[0] == "Z" {
		return "", true // dead, and not yet collected by its parent
	}
	return strings.TrimSpace(string(boot)) + " " + fields[19], true
}
