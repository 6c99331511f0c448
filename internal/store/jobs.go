package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// projectArgs is the job that wakes the projector of a workspace. Projecting
// goes by the position in the log, so a job too many does nothing.
type projectArgs struct {
	Workspace int64 `json:"workspace"`
}

func (projectArgs) Kind() string { return "project" }

func (db *DB) openJobs() (err error) {
	if db.Engine() == "postgres" {
		db.river, err = river.NewClient(riverdatabasesql.New(db.writer), &river.Config{Logger: db.options.Logger})
	} else {
		db.river, err = river.NewClient(riversqlite.New(db.writer), &river.Config{Logger: db.options.Logger})
	}
	return err
}

func enqueueProject(ctx context.Context, t *tx, workspace int64) error {
	if _, err := t.db.river.InsertTx(ctx, t.Tx, projectArgs{Workspace: workspace}, nil); err != nil {
		return fmt.Errorf("enqueue projection: %w", err)
	}
	return nil
}

// dropMootJobs deletes the wake-ups of a workspace that has nothing left to
// project: nobody works the queue where only commands run.
func dropMootJobs(ctx context.Context, t *tx, workspace int64) error {
	_, err := t.ExecContext(ctx, `
		DELETE FROM river_job WHERE kind = 'project' AND state = 'available' AND `+t.db.dialect.jobArg+` = $1
		AND NOT EXISTS (SELECT 1 FROM workspace w JOIN space s ON s.id = w.space JOIN log l ON l.workspace_id = w.id
			WHERE w.id = $1 AND l.seq > s.projected_seq)`, workspace)
	return err
}

// RunJobs works the queue until ctx ends, and then waits for the jobs that run.
// project is called for one workspace at a time, whenever its log has grown,
// and once at the start for each that is behind.
func (db *DB) RunJobs(ctx context.Context, project func(ctx context.Context, workspace int64) error) error {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &projectWorker{db: db, project: project}); err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	behind, err := db.Behind(ctx)
	if err != nil {
		return err
	}
	for _, workspace := range behind {
		if err := db.write(ctx, func(t *tx) error { return enqueueProject(ctx, t, workspace) }); err != nil {
			return fmt.Errorf("run jobs: %w", err)
		}
	}
	config := &river.Config{
		Logger:            db.options.Logger,
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		JobTimeout:        -1, // a projection ends when it is done
		FetchPollInterval: 200 * time.Millisecond,

		CompletedJobRetentionPeriod: time.Hour,
	}
	defer db.maintain(ctx)()
	if db.Engine() == "postgres" {
		client, err := river.NewClient(riverpgxv5.New(db.pool), config)
		if err != nil {
			return fmt.Errorf("run jobs: %w", err)
		}
		return runJobs(ctx, client)
	}
	client, err := river.NewClient(riversqlite.New(db.writer), config)
	if err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	return runJobs(ctx, client)
}

func runJobs[T any](ctx context.Context, client *river.Client[T]) error {
	// Not ctx itself: its end would cut the jobs off in the middle.
	work := context.WithoutCancel(ctx)
	if err := client.Start(work); err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	<-ctx.Done()
	soft, cancel := context.WithTimeout(work, 10*time.Second)
	defer cancel()
	if err := client.Stop(soft); err != nil {
		hard, cancel := context.WithTimeout(work, 10*time.Second)
		defer cancel()
		if err := client.StopAndCancel(hard); err != nil {
			return fmt.Errorf("stop jobs: %w", err)
		}
	}
	return nil
}

// maintain sweeps every workspace now and each hour until ctx ends. The function
// that it returns waits for that.
func (db *DB) maintain(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Hour)
		defer tick.Stop()
		for {
			if err := db.Maintain(ctx); err != nil && ctx.Err() == nil {
				db.options.Logger.ErrorContext(ctx, "maintenance failed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return wg.Wait
}

// forgetAfter is how long used and expired things of short life are kept.
const forgetAfter = 30 * 24 * time.Hour

// Maintain deletes what nobody needs any more, in every workspace: blobs that no
// entry names, evidence that is older than its retention, and month-old
// idempotency keys and invitations. It may run beside anything.
func (db *DB) Maintain(ctx context.Context) error {
	list, err := db.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, w := range list {
		if _, err := db.SweepBlobs(ctx, w.ID); err != nil {
			return err
		}
		if _, err := db.Retain(ctx, w.ID); err != nil {
			return err
		}
	}
	old := micros(db.Now().Add(-forgetAfter))
	for _, text := range []string{`DELETE FROM idempotency WHERE created_at < $1`, `DELETE FROM invite WHERE expires_at < $1`} {
		if err := db.write(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, text, old)
			return err
		}); err != nil {
			return fmt.Errorf("forget old keys: %w", err)
		}
	}
	return nil
}

type projectWorker struct {
	river.WorkerDefaults[projectArgs]
	db      *DB
	project func(context.Context, int64) error
}

// Work projects a workspace. Jobs of one workspace wait for each other, so that
// an entry which came while another projection ended is never overlooked.
func (w *projectWorker) Work(ctx context.Context, job *river.Job[projectArgs]) error {
	workspace := job.Args.Workspace
	lock, _ := w.db.projecting.LoadOrStore(workspace, new(sync.Mutex))
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()
	if done, err := w.db.projected(ctx, workspace); err != nil || done {
		return err
	}
	err := w.project(ctx, workspace)
	if errors.Is(err, ErrLeased) {
		return river.JobSnooze(time.Second) // another process projects; look again
	}
	return err
}

// projected reports whether nothing is left to project. A workspace that is no
// more counts as done.
func (db *DB) projected(ctx context.Context, workspace int64) (done bool, err error) {
	var open int64
	err = db.reader.QueryRowContext(ctx, `
		SELECT MAX(l.seq) - s.projected_seq FROM workspace w JOIN space s ON s.id = w.space JOIN log l ON l.workspace_id = w.id
		WHERE w.id = $1 GROUP BY s.projected_seq`, workspace).Scan(&open)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return open <= 0, err
}
