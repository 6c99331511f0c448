package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerTokens() {
	handle(s, s.route("GET /api/v1/tokens", "list-tokens", "List one's tokens; an administrator's list has everybody's"), s.tokens)
	handle(s, s.route("POST /api/v1/tokens", "create-token", "Make a token",
		about("It never allows more than whoever makes it may, and ends after 90 days unless said otherwise."),
		answers(http.StatusCreated)), s.createToken)
	handle(s, s.route("DELETE /api/v1/tokens/{id}", "revoke-token", "End a token", answers(http.StatusNoContent)), s.revokeToken)
}

// token is an API token.
type token struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Secret       string     `json:"token,omitempty" doc:"What to send; shown once, when it is made"`
	User         string     `json:"user" doc:"Pseudonym of whom it acts as"`
	Role         sinew.Role `json:"role" doc:"The most it may do"`
	Applications []string   `json:"applications,omitempty" doc:"That it is limited to"`
	Created      time.Time  `json:"created,omitzero"`
	Expires      time.Time  `json:"expires"`
	Used         time.Time  `json:"used,omitzero" doc:"To the minute"`
	Revoked      time.Time  `json:"revoked,omitzero"`
}

func newToken(t store.Token, secret string, name func(int64) string) token {
	out := token{
		ID: t.PublicID, Name: t.Name, Secret: secret, User: t.Principal, Role: t.Role,
		Created: t.Created, Expires: t.Expires, Used: t.Used, Revoked: t.Revoked,
	}
	for _, unit := range t.Units {
		out.Applications = append(out.Applications, name(unit))
	}
	return out
}

func (s *Server) tokens(ctx context.Context, in *Paging) (*body[list[token]], error) {
	all, err := s.db.Tokens(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	name, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	part, next, err := slice(all, in, func(t store.Token) string { return t.PublicID })
	out := make([]token, len(part))
	for i, t := range part {
		out[i] = newToken(t, "", name)
	}
	return page(ctx, out, next), err
}

type createTokenInput struct {
	Body struct {
		Name         string     `json:"name" minLength:"1" maxLength:"200" doc:"What it is for"`
		Role         sinew.Role `json:"role,omitempty" enum:",viewer,developer,admin" doc:"The most it may do; empty for as much as you may"`
		Applications []string   `json:"applications,omitempty" maxItems:"1000" doc:"To limit it to"`
		Days         int        `json:"days,omitempty" minimum:"0" maximum:"366" doc:"How long it is good for; 90 if not given"`
		User         string     `json:"user,omitempty" doc:"Pseudonym of whom it acts as, for an administrator; empty for oneself"`
	}
}

func (s *Server) createToken(ctx context.Context, in *createTokenInput) (*body[token], error) {
	req := auth.TokenRequest{
		Principal: in.Body.User, Name: in.Body.Name, Role: in.Body.Role, Life: time.Duration(in.Body.Days) * 24 * time.Hour,
	}
	for _, app := range in.Body.Applications {
		unit, err := s.db.UnitByName(ctx, reader(ctx), app)
		if err != nil {
			return nil, err
		}
		req.Units = append(req.Units, unit)
	}
	secret, t, err := s.auth.NewToken(ctx, identity(ctx), req)
	if err != nil {
		return nil, err
	}
	name, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	return &body[token]{newToken(t, secret, name)}, nil
}

func (s *Server) revokeToken(ctx context.Context, in *idInput) (*struct{}, error) {
	ws, err := s.db.WorkspaceByID(ctx, reader(ctx).Workspace)
	if err != nil {
		return nil, err
	}
	id, err := sinew.ParsePublicID(ws.UUID, sinew.IDToken, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.db.RevokeToken(ctx, reader(ctx), id)
}

// slice pages through a list that fits in memory. The cursor is the id of the
// last item before.
func slice[T any](all []T, in *Paging, id func(T) string) (part []T, next string, err error) {
	if in.Cursor != "" {
		at := -1
		for i, item := range all {
			if id(item) == in.Cursor {
				at = i
			}
		}
		if at < 0 {
			return nil, "", sinew.Errorf(sinew.CodeInvalid, "the cursor is not one of this list").Hint("begin again without a cursor")
		}
		all = all[at+1:]
	}
	if len(all) <= in.Limit {
		return all, "", nil
	}
	return all[:in.Limit], id(all[in.Limit-1]), nil
}
