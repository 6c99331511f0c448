package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
)

// scope says where a role is needed.
type scope string

const (
	anyone    scope = "anyone"     // nobody need be signed in; the role is ignored
	signedIn  scope = "signed in"  // the sender himself; no role needed
	somewhere scope = "some unit"  // the role on at least one unit; the store narrows it to the units concerned
	everyUnit scope = "every unit" // the role on every unit, present and future
)

// need is what a route asks of its sender.
type need struct {
	role  sinew.Role
	scope scope
}

// access is the table of what every route asks for. What is not in it is
// denied, and keeps the server from starting.
var access = map[string]need{
	"GET /health/live":              {scope: anyone},
	"GET /health/ready":             {scope: anyone},
	"GET /api/v1/openapi.json":      {scope: anyone},
	"POST /api/v1/signin":           {scope: anyone},
	"POST /api/v1/invites/redeem":   {scope: anyone},
	"GET /api/v1/session/providers": {scope: anyone},
	"POST /api/v1/session":          {scope: anyone},
	"GET /auth/{provider}/start":    {scope: anyone},
	"GET /auth/{provider}/callback": {scope: anyone},
	"GET /auth/{provider}/logout":   {scope: anyone},
	"GET /join/{invite}":            {scope: anyone},
	"POST /join/{invite}":           {scope: anyone},

	"GET /api/v1/version":          {scope: signedIn},
	"GET /api/v1/me":               {scope: signedIn},
	"PUT /api/v1/me/password":      {scope: signedIn},
	"GET /api/v1/session":          {scope: signedIn},
	"DELETE /api/v1/session":       {scope: signedIn},
	"GET /api/v1/sessions":         {scope: signedIn},
	"DELETE /api/v1/sessions/{id}": {scope: signedIn},
	"GET /api/v1/tokens":           {scope: signedIn},
	"POST /api/v1/tokens":          {scope: signedIn},
	"DELETE /api/v1/tokens/{id}":   {scope: signedIn},

	"GET /api/v1/filter/complete":     {sinew.RoleViewer, somewhere},
	"GET /api/v1/filter/fields":       {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings":            {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings/counts":     {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings/{id}":       {sinew.RoleViewer, somewhere},
	"GET /api/v1/streams":             {sinew.RoleViewer, somewhere},
	"GET /api/v1/snapshots":           {sinew.RoleViewer, somewhere},
	"GET /api/v1/imports/{id}":        {sinew.RoleViewer, somewhere},
	"GET /api/v1/imports/{id}/events": {sinew.RoleViewer, somewhere},
	"GET /api/v1/applications":        {sinew.RoleViewer, somewhere},
	"GET /api/v1/refs":                {sinew.RoleViewer, somewhere},
	"GET /api/v1/deployments":         {sinew.RoleViewer, somewhere},
	"GET /api/v1/assets":              {sinew.RoleViewer, somewhere},
	"GET /api/v1/assets/{id}":         {sinew.RoleViewer, somewhere},
	"GET /api/v1/formats":             {sinew.RoleViewer, somewhere},

	"GET /api/v1/imports":                 {sinew.RoleViewer, somewhere},
	"POST /api/v1/formats/detect":         {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings/groups":         {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings/export":         {sinew.RoleViewer, somewhere},
	"GET /api/v1/findings/{id}/evidence":  {sinew.RoleViewer, somewhere},
	"GET /api/v1/snapshots/{id}/evidence": {sinew.RoleViewer, somewhere},
	"GET /api/v1/decisions":               {sinew.RoleViewer, somewhere},
	"GET /api/v1/coverage":                {sinew.RoleViewer, somewhere},
	"GET /api/v1/dedup/stats":             {sinew.RoleViewer, somewhere},
	"GET /api/v1/dedup/explain":           {sinew.RoleViewer, somewhere},
	"GET /api/v1/links":                   {sinew.RoleViewer, somewhere},
	"GET /api/v1/intel":                   {sinew.RoleViewer, somewhere},
	"GET /api/v1/scanners":                {sinew.RoleViewer, somewhere},
	"GET /api/v1/onboarding":              {sinew.RoleViewer, somewhere},
	"GET /api/v1/issues":                  {sinew.RoleViewer, somewhere},
	"GET /api/v1/issues/{id}":             {sinew.RoleViewer, somewhere},
	"GET /api/v1/views":                   {sinew.RoleViewer, somewhere},
	"POST /api/v1/views":                  {sinew.RoleViewer, somewhere}, // for others: see store.CreateView
	"PUT /api/v1/views/{id}":              {sinew.RoleViewer, somewhere},
	"DELETE /api/v1/views/{id}":           {sinew.RoleViewer, somewhere},

	"POST /api/v1/decisions/{id}/undo": {sinew.RoleDeveloper, somewhere},
	"PATCH /api/v1/issues/{id}":        {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/imports":             {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/decisions":           {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/decisions/preview":   {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/links":               {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/links/preview":       {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/links/{id}/undo":     {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/refs":                {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/deployments":         {sinew.RoleDeveloper, somewhere},
	"POST /api/v1/assets/end":          {sinew.RoleDeveloper, somewhere},

	"POST /api/v1/intel/aliases":       {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/rules":                {sinew.RoleAdmin, everyUnit},
	"PUT /api/v1/rules":                {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/rules/preview":       {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/log":                  {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/log/{seq}":            {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/log/verify":          {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/users":                {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/users":               {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/users/{id}":           {sinew.RoleAdmin, everyUnit},
	"DELETE /api/v1/users/{id}":        {sinew.RoleAdmin, everyUnit},
	"PUT /api/v1/users/{id}/role":      {sinew.RoleAdmin, everyUnit},
	"PUT /api/v1/users/{id}/password":  {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/users/{id}/disable":  {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/users/{id}/enable":   {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/invites":             {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/providers":            {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/providers":           {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/providers/{id}":       {sinew.RoleAdmin, everyUnit},
	"PUT /api/v1/providers/{id}":       {sinew.RoleAdmin, everyUnit},
	"DELETE /api/v1/providers/{id}":    {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/providers/{id}/test": {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/backup":               {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/projection":           {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/projection/rebuild":  {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/projection/rematch":  {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/projection/remap":    {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/checkpoints":         {sinew.RoleAdmin, everyUnit},
	"GET /api/v1/retention":            {sinew.RoleAdmin, everyUnit},
	"PUT /api/v1/retention":            {sinew.RoleAdmin, everyUnit},
	"POST /api/v1/retention/apply":     {sinew.RoleAdmin, everyUnit},
}

// met reports whether a sender fulfils the need, or why not.
func (n need) met(r sinew.Reader) error {
	ok := false
	switch n.scope {
	case anyone, signedIn:
		return nil
	case somewhere:
		ok = r.CanAny(n.role)
	case everyUnit:
		ok = n.role != sinew.RoleNone && r.All.Allows(n.role)
	}
	if ok {
		return nil
	}
	where := "an application"
	if n.scope == everyUnit {
		where = "the whole workspace"
	}
	return sinew.Errorf(sinew.CodeDenied, "this needs the role %s on %s", n.role, where).Hint("ask an administrator of the workspace")
}

type identityKey struct{}

// identity is who asks; the zero Identity for nobody.
func identity(ctx context.Context) auth.Identity {
	id, _ := ctx.Value(identityKey{}).(auth.Identity)
	return id
}

// reader is on whose behalf the store is asked.
func reader(ctx context.Context) sinew.Reader { return identity(ctx).Reader }

// guard is the one door: it finds who asks, and denies what the table does not
// allow.
func (s *Server) guard(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	need, listed := access[op.Method+" "+op.Path]
	if !listed {
		s.refuse(ctx, sinew.Errorf(sinew.CodeDenied, "nobody may do this"))
		return
	}
	var id auth.Identity
	var err error
	if need.scope != anyone { // whoever it is: nothing that was sent with it counts
		id, err = s.authenticate(ctx)
	}
	if err == nil {
		err = s.checkOrigin(ctx, id)
	}
	if err == nil {
		err = need.met(id.Reader)
	}
	if err != nil {
		s.refuse(ctx, err)
		return
	}
	goCtx := context.WithValue(ctx.Context(), identityKey{}, id)
	if !streams(goCtx, op) && !isLocal(goCtx) {
		c := callOf(goCtx)
		control := http.NewResponseController(c.w)
		_ = control.SetReadDeadline(s.now().Add(handleTime)) // not supported in tests without a connection
		_ = control.SetWriteDeadline(s.now().Add(handleTime + s.idle))
		var cancel context.CancelFunc
		goCtx, cancel = context.WithTimeout(goCtx, handleTime)
		defer cancel()
	}
	next(huma.WithContext(ctx, goCtx))
}

// authenticate finds who shows a token, or the cookie of a session; with a token
// the cookie does not count. Inside the process, where the handler was made for
// one reader, nobody need show anything.
func (s *Server) authenticate(ctx huma.Context) (auth.Identity, error) {
	if local, ok := ctx.Context().Value(localKey{}).(sinew.Reader); ok {
		return auth.Identity{Reader: local}, nil
	}
	header := ctx.Header("Authorization")
	if header == "" {
		c := callOf(ctx.Context())
		if cookie, err := c.r.Cookie(s.cookieName(c.r, sessionCookie)); err == nil {
			return s.bySession(ctx.Context(), cookie.Value)
		}
	}
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return auth.Identity{}, sinew.Errorf(sinew.CodeUnauthn, "nobody is signed in").
			Hint("sign in at /signin, or send an API token: Authorization: Bearer sinew_...")
	}
	return s.auth.Bearer(ctx.Context(), strings.TrimSpace(secret))
}

type localKey struct{}

// isLocal reports whether the request comes from inside the process.
func isLocal(ctx context.Context) bool {
	_, local := ctx.Value(localKey{}).(sinew.Reader)
	return local
}

func (s *Server) refuse(ctx huma.Context, err error) {
	writeProblem(ctx.Context(), callOf(ctx.Context()).w, err)
}

// checkAccess compares the table with the routes that there are.
func checkAccess(routes map[string]bool) error {
	for route := range routes {
		if _, ok := access[route]; !ok {
			return fmt.Errorf("the route %s is not in the table of access", route)
		}
	}
	for route := range access {
		if !routes[route] {
			return fmt.Errorf("the table of access names %s, which is no route", route)
		}
	}
	return nil
}
