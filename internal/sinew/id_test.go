package sinew_test

import (
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

const workspace = "0123456789abcdef0123456789abcdef"

// ING4: an id is found again without an index, and nothing else is taken for it.
func TestPublicID(t *testing.T) {
	t.Parallel()
	for _, want := range []struct{ seq, ordinal int64 }{{0, 0}, {1, 0}, {1, 1}, {7, 1<<28 - 1}, {1<<35 - 1, 12}} {
		local, err := sinew.LocalID(want.seq, want.ordinal)
		if err != nil {
			t.Fatal(err)
		}
		id := sinew.PublicID(workspace, sinew.IDFinding, local)
		got, err := sinew.ParsePublicID(workspace, sinew.IDFinding, id)
		if err != nil || got != local {
			t.Errorf("%v: %s is read as %d, %v; want %d", want, id, got, err, local)
		}
		if seq, ordinal := sinew.SplitLocalID(got); seq != want.seq || ordinal != want.ordinal {
			t.Errorf("%v: split into %d, %d", want, seq, ordinal)
		}
		if _, err := sinew.ParsePublicID(workspace, sinew.IDFinding, strings.ToUpper(id[:1])+id[1:]); err == nil {
			t.Errorf("%s: another kind's letter is taken", id)
		}
		if _, err := sinew.ParsePublicID(strings.Replace(workspace, "0", "1", 1), sinew.IDFinding, id); sinew.CodeOf(err) != sinew.CodeNotFound {
			t.Errorf("%s of another workspace: %v", id, err)
		}
		for i := 1; i < len(id); i++ {
			typo := id[:i] + string('a'+(id[i]-'a'+1)%26) + id[i+1:]
			if typo == id {
				continue
			}
			if _, err := sinew.ParsePublicID(workspace, sinew.IDFinding, typo); err == nil {
				t.Errorf("%s: the mistyped %s is taken", id, typo)
			}
		}
	}
}

func TestLocalIDRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ seq, ordinal int64 }{{-1, 0}, {0, -1}, {1 << 35, 0}, {0, 1 << 28}} {
		if _, err := sinew.LocalID(c.seq, c.ordinal); sinew.CodeOf(err) != sinew.CodeTooLarge {
			t.Errorf("LocalID(%d, %d): %v", c.seq, c.ordinal, err)
		}
	}
}

// TRU1: the zero reader sees nothing; a role on one unit says nothing of another.
func TestReader(t *testing.T) {
	t.Parallel()
	dev := sinew.Reader{Workspace: 1, Units: map[int64]sinew.Role{7: sinew.RoleDeveloper}}
	all := sinew.Reader{Workspace: 1, All: sinew.RoleViewer, Units: map[int64]sinew.Role{7: sinew.RoleDeveloper}}
	for _, c := range []struct {
		name string
		r    sinew.Reader
		need sinew.Role
		unit int64
		want bool
	}{
		{"nobody", sinew.Reader{Workspace: 1}, sinew.RoleViewer, 7, false},
		{"nobody needs nothing and still has not got it", sinew.Reader{Workspace: 1}, sinew.RoleNone, 7, false},
		{"own unit", dev, sinew.RoleDeveloper, 7, true},
		{"own unit, less", dev, sinew.RoleViewer, 7, true},
		{"own unit, more", dev, sinew.RoleAdmin, 7, false},
		{"foreign unit", dev, sinew.RoleViewer, 8, false},
		{"unassigned", dev, sinew.RoleViewer, sinew.UnassignedUnit, false},
		{"every unit", all, sinew.RoleViewer, 8, true},
		{"the stronger of two", all, sinew.RoleDeveloper, 7, true},
	} {
		if got := c.r.Can(c.need, c.unit); got != c.want {
			t.Errorf("%s: Can(%q, %d) = %v", c.name, c.need, c.unit, got)
		}
	}
}
