package store

import (
	"os"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// FuzzCursor: whatever a sender gives back is either one of ours or refused.
func FuzzCursor(f *testing.F) {
	of := cursorOf("findings", "is:open", "-severity")
	f.Add(cursor{Of: of, Numbers: []int64{1, 4}, ID: "fabc"}.String())
	f.Add("AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s, of, 2)
		if err != nil {
			if sinew.CodeOf(err) != sinew.CodeInvalid {
				t.Errorf("error %v", err)
			}
			return
		}
		if c == nil {
			if s != "" {
				t.Error("no cursor and no error")
			}
			return
		}
		again, err := parseCursor(c.String(), of, 2)
		if err != nil || again.Text != c.Text || again.ID != c.ID || len(again.Numbers) != 2 {
			t.Errorf("%+v comes back as %+v, %v", c, again, err)
		}
	})
}

func TestProcesses(t *testing.T) {
	me := thisProcess()
	if me.started == "" { // no /proc: leases end by expiry only
		return
	}
	for _, tc := range []struct {
		name    string
		pid     int
		started string
		dead    bool
	}{
		{"ourselves", os.Getpid(), me.started, false},
		{"our number, given to another before", os.Getpid(), "boot 1", true},
		{"a number that is not given", 1 << 30, me.started, true},
		{"one of which nothing is known", 1 << 30, "", false},
	} {
		if got := dead(tc.pid, tc.started); got != tc.dead {
			t.Errorf("%s: dead %t", tc.name, got)
		}
	}
}
