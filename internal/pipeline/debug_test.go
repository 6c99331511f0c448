package pipeline

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

func dump(t *testing.T, db *sql.DB, table, cols string, space int64, where string) []string {
	rows, err := db.Query(`SELECT `+cols+` FROM `+table+` WHERE space = ? `+where, space)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	var out []string
	for rows.Next() {
		vals := make([]any, len(names))
		ptrs := make([]any, len(names))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.WriteString(table + ": ")
		for i := range vals {
			v := vals[i]
			if x, ok := v.([]byte); ok {
				if len(x) == 32 {
					v = fmt.Sprintf("%x", x[:4])
				} else {
					v = string(x)
				}
			}
			if x, ok := v.(int64); ok && x > 1<<28 && x < 1<<40 {
				v = fmt.Sprintf("%d.%d", x>>28, x&(1<<28-1))
			}
			fmt.Fprintf(&b, "%s=%v ", names[i], v)
		}
		out = append(out, b.String())
	}
	sort.Strings(out)
	return out
}

var tables = [][3]string{
	{"family", "id,tool,target,unit_id", ""},
	{"place", "id,family_id,kind,ref,environment,service,version,head_seq,seen_at/60000000-29453760 s,ended", ""},
	{"snapshot", "seq,family_id,place_id,unit_id,at/60000000-29453760 s,version,body,assignment,result", ""},
	{"finding", "id,family_id,place_id,state,severity,rule,file,line,verdict,verdict_by,first_seen/60000000-29453760 fs,last_seen/60000000-29453760 ls,since/60000000-29453760 si,reopened,obs_seq,obs_n", "AND gen_to IS NULL"},
	{"presence", "finding_id,place_id,state,basis,first_seen/60000000-29453760 fs,last_seen/60000000-29453760 ls,since/60000000-29453760 si,since_seq,obs_seq,obs_n,pass,tool_status,line", "AND gen_to IS NULL"},
	{"redirect", "old_id,new_id", "AND gen_to IS NULL"},
	{"verdict", "birth_id,seq,verdict", ""},
	{"event", "finding_id,seq,n,at/60000000-29453760 at,known_at,kind,place_id,was,became,cause", ""},
	{"counter", "unit_id,dim,value,n", "AND n<>0"},
	{"ref_state", "target,ref,event,into_ref,at,seq", ""},
	{"deployment", "seq,unit_id,service,environment,version,at", ""},
}

func TestDebug(t *testing.T) {
	if os.Getenv("SEED") == "" {
		t.Skip()
	}
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	n := 14
	if s := os.Getenv("N"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	facts := history(rnd, n)
	var prev []string
	for try := range 2 {
		order := slices.Clone(facts)
		if try > 0 {
			if os.Getenv("ORDER") == "" {
				break
			}
			rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		path := filepath.Join(t.TempDir(), "s.db")
		h := newHouse(t, path)
		h.now = minute(10_000)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		check := func() bool {
			h.project()
			h.fail = func(p string) error {
				if p == "before swap" {
					return errors.New("stop")
				}
				return nil
			}
			_, err := h.p.Rebuild(t.Context(), h.ws.ID)
			h.fail = nil
			if err == nil || !strings.Contains(err.Error(), "stop") {
				t.Fatalf("rebuild: %v", err)
			}
			var live, other int64
			_ = db.QueryRow(`SELECT space FROM workspace`).Scan(&live)
			_ = db.QueryRow(`SELECT max(id) FROM space`).Scan(&other)
			bad := false
			for _, tab := range tables {
				a := dump(t, db, tab[0], tab[1], live, tab[2])
				b := dump(t, db, tab[0], tab[1], other, tab[2])
				for _, l := range a {
					if !slices.Contains(b, l) {
						bad = true
						t.Log("LIVE    ", l)
					}
				}
				for _, l := range b {
					if !slices.Contains(a, l) {
						bad = true
						t.Log("REBUILT ", l)
					}
				}
			}
			return bad
		}
		for i, f := range order {
			h.tell(f)
			switch {
			case f.rep != nil:
				t.Logf("fact %d snapshot %+v cov=%v commit=%s at=%v n=%d", i, f.rep.Snapshot.Stream, f.rep.Snapshot.Coverage.Status, f.rep.Snapshot.Commit, f.opt.At.Sub(t0), len(f.rep.Body))
			case f.ref != nil:
				t.Logf("fact %d %+v", i, *f.ref)
			case f.deploy != nil:
				t.Logf("fact %d %+v", i, *f.deploy)
			default:
				t.Logf("fact %d end %+v", i, *f.end)
			}
			if try == 0 && check() {
				t.Errorf("rebuild differs after fact %d", i)
				return
			}
		}
		h.project()
		var live int64
		_ = db.QueryRow(`SELECT space FROM workspace`).Scan(&live)
		q := `SELECT f.rule||' '||f.file||':'||f.line||' st='||f.state||' fs='||(f.first_seen/60000000-29453760)||' ls='||f.last_seen||' since='||(f.since/60000000-29453760)||' ro='||f.reopened||' v='||f.verdict||' | '||pl.ref||pl.environment||' '||p.state||' '||p.basis||' fs='||(p.first_seen/60000000-29453760)||' ls='||p.last_seen||' si='||(p.since/60000000-29453760)||' l='||p.line||' seen='||pl.seen_at
			FROM finding f JOIN presence p ON p.space=f.space AND p.finding_id=f.id AND p.gen_to IS NULL JOIN place pl ON pl.space=p.space AND pl.id=p.place_id WHERE f.space=? AND f.gen_to IS NULL`
		rows, err := db.Query(q, live)
		if err != nil {
			t.Fatal(err)
		}
		var cur []string
		for rows.Next() {
			var s string
			_ = rows.Scan(&s)
			cur = append(cur, s)
		}
		sort.Strings(cur)
		if try > 0 {
			for _, l := range prev {
				if !slices.Contains(cur, l) {
					t.Log("FIRST ", l)
				}
			}
			for _, l := range cur {
				if !slices.Contains(prev, l) {
					t.Log("SECOND", l)
				}
			}
			if !slices.Equal(prev, cur) {
				t.Errorf("differs")
			}
		}
		prev = cur
	}
}
