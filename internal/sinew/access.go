package sinew

import "time"

// Workspace separates everything of one customer or purpose: chain, keys,
// lease, quotas and rows.
type Workspace struct {
	ID      int64     `json:"-"`
	UUID    string    `json:"id"` // 32 hex digits, made once; public ids and keys derive from it
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// UnassignedUnit is the access unit of everything that no rule claims.
const UnassignedUnit int64 = 0

// Role is what a principal may do in an access unit.
type Role string

// The roles, each containing the one before it.
const (
	RoleNone      Role = ""
	RoleViewer    Role = "viewer"    // read
	RoleDeveloper Role = "developer" // import, triage and decide
	RoleAdmin     Role = "admin"     // rules, users, tokens and the log
)

// Allows reports whether r contains need.
func (r Role) Allows(need Role) bool { return r.rank() >= need.rank() }

func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleDeveloper:
		return 2
	case RoleAdmin:
		return 3
	case RoleNone:
		return 0
	}
	return 0
}

// Reader is on whose behalf the store is asked. Every read and write of the
// store takes one; the zero Reader sees nothing.
type Reader struct {
	Workspace int64
	Principal string         // pseudonym
	All       Role           // role on every unit, present and future
	Units     map[int64]Role // roles on single units
}

// Role reports the role of r in unit.
func (r Reader) Role(unit int64) Role {
	if u := r.Units[unit]; !r.All.Allows(u) {
		return u
	}
	return r.All
}

// Can reports whether r has at least role need in unit.
func (r Reader) Can(need Role, unit int64) bool {
	return need != RoleNone && r.Role(unit).Allows(need)
}

// CanAny reports whether r has at least role need somewhere.
func (r Reader) CanAny(need Role) bool {
	if need == RoleNone {
		return false
	}
	if r.All.Allows(need) {
		return true
	}
	for _, u := range r.Units {
		if u.Allows(need) {
			return true
		}
	}
	return false
}
