package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerViews() {
	handle(s, s.route("GET /api/v1/views", "list-views", "List the saved views that you see: your own, your applications' and everyone's"), s.views)
	handle(s, s.route("POST /api/v1/views", "create-view", "Save a view", answers(http.StatusCreated),
		about("A view of an application needs the role developer on it, one for everyone admin on the whole workspace.")), s.createView)
	handle(s, s.route("PUT /api/v1/views/{id}", "change-view", "Change a saved view"), s.changeView)
	handle(s, s.route("DELETE /api/v1/views/{id}", "delete-view", "Delete a saved view", answers(http.StatusNoContent)), s.deleteView)
}

// SavedView is a list of findings that somebody gave a name.
type SavedView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Scope       string    `json:"scope" enum:"private,unit,everyone"`
	Application string    `json:"application,omitempty"`
	Owner       string    `json:"owner" doc:"Pseudonym"`
	OwnerName   string    `json:"owner_name,omitempty"`
	Mine        bool      `json:"mine"`
	Filter      string    `json:"filter"`
	Tab         string    `json:"tab,omitempty"`
	Sort        string    `json:"sort,omitempty"`
	Columns     []string  `json:"columns" nullable:"false"`
	Group       string    `json:"group,omitempty"`
	Updated     time.Time `json:"updated"`
}

func newView(v *store.SavedView) SavedView {
	return SavedView{
		ID: v.ID, Name: v.Name, Scope: string(v.Scope), Application: v.Application, Owner: v.Owner, OwnerName: v.OwnerName, Mine: v.Mine,
		Filter: v.Filter, Tab: v.Tab, Sort: v.Sort, Columns: orEmpty(v.Columns), Group: v.Group, Updated: v.Updated,
	}
}

// ViewInputBody is what a sender says of a view.
type ViewInputBody struct {
	Name        string   `json:"name" minLength:"1" maxLength:"200"`
	Scope       string   `json:"scope,omitempty" enum:"private,unit,everyone" default:"private" doc:"Who sees it"`
	Application string   `json:"application,omitempty" maxLength:"200" doc:"For scope unit: who may see it sees the view"`
	Filter      string   `json:"filter,omitempty" maxLength:"8192" doc:"See docs/filter.md"`
	Tab         string   `json:"tab,omitempty" maxLength:"100"`
	Sort        string   `json:"sort,omitempty" maxLength:"100"`
	Columns     []string `json:"columns,omitempty" maxItems:"100"`
	Group       string   `json:"group,omitempty" maxLength:"100" doc:"rule, root_cause, component, application, file or tool"`
}

func (b *ViewInputBody) view() store.SavedView {
	scope := store.ViewScope(b.Scope)
	if scope == "" {
		scope = store.ViewPrivate
	}
	return store.SavedView{
		Name: b.Name, Scope: scope, Application: b.Application, Filter: b.Filter, Tab: b.Tab, Sort: b.Sort, Columns: b.Columns, Group: b.Group,
	}
}

func (s *Server) views(ctx context.Context, in *Paging) (*body[list[SavedView]], error) {
	all, next, err := s.db.Views(ctx, reader(ctx), in.page())
	out := make([]SavedView, len(all))
	for i := range all {
		out[i] = newView(&all[i])
	}
	return page(ctx, out, next), err
}

type createViewInput struct{ Body ViewInputBody }

func (s *Server) createView(ctx context.Context, in *createViewInput) (*body[SavedView], error) {
	v, err := s.db.CreateView(ctx, reader(ctx), in.Body.view())
	if err != nil {
		return nil, err
	}
	return &body[SavedView]{newView(v)}, nil
}

type changeViewInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body ViewInputBody
}

func (s *Server) changeView(ctx context.Context, in *changeViewInput) (*body[SavedView], error) {
	v, err := s.db.UpdateView(ctx, reader(ctx), in.ID, in.Body.view())
	if err != nil {
		return nil, err
	}
	return &body[SavedView]{newView(v)}, nil
}

func (s *Server) deleteView(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.db.DeleteView(ctx, reader(ctx), in.ID)
}
