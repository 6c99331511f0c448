package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// ViewScope says who sees a saved view.
type ViewScope string

// The scopes of a saved view.
const (
	ViewPrivate  ViewScope = "private"  // its owner
	ViewUnit     ViewScope = "unit"     // who may see the application
	ViewEveryone ViewScope = "everyone" // who may see anything
)

// SavedView is a list of findings that somebody gave a name: which, and how they
// are shown.
type SavedView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Scope       ViewScope `json:"scope"`
	Application string    `json:"application,omitempty"` // of scope unit
	Owner       string    `json:"owner"`                 // pseudonym
	OwnerName   string    `json:"owner_name,omitempty"`
	Mine        bool      `json:"mine"`
	Filter      string    `json:"filter"`
	Tab         string    `json:"tab,omitempty"`
	Sort        string    `json:"sort,omitempty"`
	Columns     []string  `json:"columns"`
	Group       string    `json:"group,omitempty"`
	Updated     time.Time `json:"updated"`

	local, unit int64
}

// maxViews is how many views one principal may save.
const maxViews = 1000

// Validate reports what keeps a view from being saved.
func (s *SavedView) Validate() error {
	switch {
	case strings.TrimSpace(s.Name) == "" || len(s.Name) > 200:
		return sinew.Errorf(sinew.CodeInvalid, "a view needs a name of 1 to 200 bytes").At("name")
	case s.Scope != ViewPrivate && s.Scope != ViewUnit && s.Scope != ViewEveryone:
		return sinew.Errorf(sinew.CodeInvalid, "unknown scope %.40q", string(s.Scope)).At("scope").Hint("use private, unit or everyone")
	case (s.Scope == ViewUnit) != (s.Application != ""):
		return sinew.Errorf(sinew.CodeInvalid, "a view of scope unit names an application, and no other does").At("application")
	case len(s.Columns) > 100 || slices.ContainsFunc(s.Columns, func(c string) bool { return len(c) > 100 }):
		return sinew.Errorf(sinew.CodeInvalid, "a view has at most 100 columns with names of at most 100 bytes").At("columns")
	case len(s.Tab) > 100:
		return sinew.Errorf(sinew.CodeInvalid, "the name of the tab is longer than 100 bytes").At("tab")
	case s.Group != "" && !slices.Contains(Groupings(), s.Group):
		return sinew.Errorf(sinew.CodeInvalid, "findings cannot be grouped by %.40q", s.Group).At("group").Hint("use %s", strings.Join(Groupings(), ", "))
	}
	if s.Sort != "" {
		if _, err := orderOf(s.Sort); err != nil {
			return err
		}
	}
	_, err := filter.Parse(s.Filter)
	return err
}

const viewSelect = `SELECT f.id, f.owner, f.scope, f.unit_id, f.name, f.filter, f.tab, f.sort, f.columns, f.grouping, f.updated_at,
	COALESCE(u.name, ''), COALESCE(w.name, ''), COALESCE(w.login, '') FROM saved_view f
	LEFT JOIN unit u ON u.space = ? AND u.id = f.unit_id AND f.scope = 'unit'
	LEFT JOIN principal w ON w.workspace_id = f.workspace_id AND w.pseudonym = f.owner WHERE f.workspace_id = ?`

// seen appends the condition that the reader sees a saved view.
func (v *view) seen(q *query) {
	q.add(` AND ((f.scope = 'private' AND f.owner = ?) OR f.scope = 'everyone' OR (f.scope = 'unit'`, v.r.Principal)
	v.visible(q, "f.unit_id")
	q.add(`))`)
}

func (s *SavedView) scan(v *view, row scanner) error {
	var updated int64
	var columns, name, login string
	if err := row.Scan(&s.local, &s.Owner, &s.Scope, &s.unit, &s.Name, &s.Filter, &s.Tab, &s.Sort, &columns, &s.Group, &updated,
		&s.Application, &name, &login); err != nil {
		return err
	}
	s.ID, s.Updated, s.Mine, s.OwnerName = v.public(sinew.IDView, s.local), fromMicros(updated), s.Owner == v.r.Principal, name
	if name == "" {
		s.OwnerName = login
	}
	if err := json.Unmarshal([]byte(columns), &s.Columns); err != nil {
		return fmt.Errorf("columns of view %d: %w", s.local, err)
	}
	return nil
}

// Views lists the saved views that r sees: his own private ones, those of
// applications that he may see, and everyone's; by name.
func (db *DB) Views(ctx context.Context, r sinew.Reader, p Page) (list []SavedView, next string, err error) {
	return listing[SavedView]{
		name: "views", sort: "name", kind: sinew.IDView, text: "f.name", id: "f.id",
		from: viewSelect, args: func(v *view) []any { return []any{v.space.ID, v.r.Workspace} },
		more: (*view).seen,
		scan: func(v *view, row scanner) (s SavedView, _ string, _ int64, err error) {
			err = s.scan(v, row)
			return s, s.Name, s.local, err
		},
	}.page(ctx, db, r, p)
}

// View gives one saved view that r sees.
func (db *DB) View(ctx context.Context, r sinew.Reader, id string) (*SavedView, error) {
	var s *SavedView
	err := db.view(ctx, r, func(v *view) (err error) {
		s, err = v.savedView(ctx, id)
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, noView(id)
	}
	return s, err
}

func noView(id string) error { return sinew.Errorf(sinew.CodeNotFound, "there is no view %.40s", id) }

func (v *view) savedView(ctx context.Context, id string) (*SavedView, error) {
	local, err := sinew.ParsePublicID(v.uuid, sinew.IDView, id)
	if err != nil {
		return nil, noView(id)
	}
	q := (&query{}).add(viewSelect+` AND f.id = ?`, v.space.ID, v.r.Workspace, local)
	v.seen(q)
	var s SavedView
	if err := s.scan(v, v.QueryRowContext(ctx, q.String(), q.args...)); err != nil {
		if sinew.CodeOf(notFound(err, "")) == sinew.CodeNotFound {
			return nil, noView(id)
		}
		return nil, fmt.Errorf("show view: %w", err)
	}
	return &s, nil
}

// mayShare reports whether r may make or change a view of this scope: his own
// private ones; those of an application as a developer of it; everyone's as an
// administrator of everything.
func mayShare(r sinew.Reader, s *SavedView) error {
	ok := false
	switch s.Scope {
	case ViewPrivate:
		ok = s.Owner == r.Principal && r.Principal != ""
	case ViewUnit:
		ok = r.Can(sinew.RoleDeveloper, s.unit)
	case ViewEveryone:
		ok = r.All.Allows(sinew.RoleAdmin)
	}
	if ok {
		return nil
	}
	return sinew.Errorf(sinew.CodeDenied, "a view for others needs the role developer on the application, or admin on the whole workspace").
		Hint("save it as a private view, or ask an administrator of the workspace")
}

// CreateView saves a new view of r's.
func (db *DB) CreateView(ctx context.Context, r sinew.Reader, s SavedView) (*SavedView, error) {
	if err := db.checkView(ctx, r, &s, r.Principal); err != nil {
		return nil, err
	}
	err := db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		var n int64
		if err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1, COUNT(CASE WHEN owner = $2 THEN 1 END) FROM saved_view WHERE workspace_id = $1`,
			r.Workspace, r.Principal).Scan(&s.local, &n); err != nil {
			return err
		}
		if n >= maxViews {
			return sinew.Errorf(sinew.CodeTooLarge, "you have %d saved views", n).Hint("delete some")
		}
		columns, err := s.values(db)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO saved_view (scope, unit_id, name, filter, tab, sort, columns, grouping, updated_at, workspace_id, id, owner)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, append(columns, r.Workspace, s.local, r.Principal)...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("save view: %w", err)
	}
	return db.viewNow(ctx, r, s.local)
}

// UpdateView changes a view that r may change, into one that he may make.
func (db *DB) UpdateView(ctx context.Context, r sinew.Reader, id string, s SavedView) (*SavedView, error) {
	was, err := db.View(ctx, r, id)
	if err != nil {
		return nil, err
	}
	if err := mayShare(r, was); err != nil {
		return nil, err
	}
	if s.Scope == ViewPrivate && was.Owner != r.Principal {
		return nil, sinew.Errorf(sinew.CodeDenied, "only its owner makes a view private").Hint("save one of your own")
	}
	if err := db.checkView(ctx, r, &s, was.Owner); err != nil {
		return nil, err
	}
	columns, err := s.values(db)
	if err != nil {
		return nil, err
	}
	err = db.write(ctx, func(t *tx) error {
		res, err := t.ExecContext(ctx, `UPDATE saved_view SET scope = $1, unit_id = $2, name = $3, filter = $4, tab = $5, sort = $6, columns = $7,
			grouping = $8, updated_at = $9 WHERE workspace_id = $10 AND id = $11`, append(columns, r.Workspace, was.local)...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, noView(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change view: %w", err)
	}
	return db.viewNow(ctx, r, was.local)
}

// DeleteView deletes a view that r may change.
func (db *DB) DeleteView(ctx context.Context, r sinew.Reader, id string) error {
	was, err := db.View(ctx, r, id)
	if err != nil {
		return err
	}
	if err := mayShare(r, was); err != nil {
		return err
	}
	err = db.write(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM saved_view WHERE workspace_id = $1 AND id = $2`, r.Workspace, was.local)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete view: %w", err)
	}
	return nil
}

// checkView validates a view of an owner, finds its application, and checks that
// r may make it.
func (db *DB) checkView(ctx context.Context, r sinew.Reader, s *SavedView, owner string) error {
	if r.Workspace == 0 || !r.CanAny(sinew.RoleViewer) {
		return errDenied
	}
	if err := s.Validate(); err != nil {
		return err
	}
	s.Owner, s.unit = owner, 0
	if s.Scope == ViewUnit {
		var err error
		if s.unit, err = db.UnitByName(ctx, r, s.Application); err != nil {
			return err
		}
	}
	return mayShare(r, s)
}

func (s *SavedView) values(db *DB) ([]any, error) {
	columns, err := json.Marshal(append([]string{}, s.Columns...))
	if err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	return []any{string(s.Scope), s.unit, s.Name, s.Filter, s.Tab, s.Sort, string(columns), s.Group, micros(db.Now())}, nil
}

func (db *DB) viewNow(ctx context.Context, r sinew.Reader, local int64) (*SavedView, error) {
	ws, err := db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	return db.View(ctx, r, sinew.PublicID(ws.UUID, sinew.IDView, local))
}
