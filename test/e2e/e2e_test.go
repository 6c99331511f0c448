// Package e2e runs whole stories through the command line, each script once per
// database engine.
package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sinewsec/sinew/internal/cli"
	"github.com/sinewsec/sinew/internal/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sinew": func() { os.Exit(cli.Main("v0.0.0-test")) },
	})
}

// TestScripts runs testdata/*.txtar on SQLite and on PostgreSQL. In a script
// SINEW_DATABASE names a fresh database, so that `sinew findings` just works.
func TestScripts(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 "testdata",
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Setup:               func(env *testscript.Env) error { return setup(env, engine) },
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"capture":      capture,
					"lines":        lines,
					"field":        field,
					"http":         request,
					"waitfor":      waitFor,
					"mangle":       mangle,
					"sarif":        sarif,
					"mangle-bytes": mangleBytes,
					"age":          age,
				},
				Condition: func(cond string) (bool, error) {
					if cond == "sqlite" || cond == "postgres" {
						return cond == engine, nil
					}
					return false, fmt.Errorf("unknown condition %q", cond)
				},
			})
		})
	}
}

func setup(env *testscript.Env, engine string) error {
	dsn := filepath.Join(env.WorkDir, "sinew.db")
	key := dsn + ".key"
	if engine == "postgres" {
		url, drop, err := pgtest.Create(context.Background())
		if err != nil {
			return err
		}
		env.Defer(func() { _ = drop() })
		dsn = url
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	env.Setenv("SINEW_DATABASE", dsn)
	env.Setenv("SINEW_KEY_FILE", key)
	env.Setenv("ADDR", port)
	env.Setenv("HOME", env.WorkDir)
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// capture NAME REGEXP puts the first group that matches the last command's
// standard output into the variable NAME.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("%q matches nothing in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// lines N checks that the last command printed N lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: lines N")
	}
	n := strings.Count(ts.ReadFile("stdout"), "\n")
	if (fmt.Sprint(n) == args[0]) == neg {
		ts.Fatalf("%d lines, want %s", n, args[0])
	}
}

// field KEY=VALUE... WHERE... checks the last command's JSON lines: `field
// title=x state=fixed` means that the one line whose first KEY has VALUE has the
// other pairs too.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: field KEY=VALUE KEY=VALUE...")
	}
	key, want, _ := strings.Cut(args[0], "=")
	found := 0
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			ts.Fatalf("not JSON: %s", line)
		}
		if fmt.Sprint(row[key]) != want {
			continue
		}
		found++
		for _, pair := range args[1:] {
			k, v, _ := strings.Cut(pair, "=")
			if got := fmt.Sprint(row[k]); (got == v) == neg {
				ts.Fatalf("%s: %s is %q, want %q\n%s", args[0], k, got, v, line)
			}
		}
	}
	if found != 1 {
		ts.Fatalf("%d lines have %s, want 1", found, args[0])
	}
}

// http METHOD PATH [BODYFILE] calls the server at $ADDR with $SINEW_TOKEN and
// puts status line and body into the file "response".
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [BODYFILE]")
	}
	var body io.Reader
	if len(args) > 2 {
		body = strings.NewReader(ts.ReadFile(args[2]))
	}
	req, err := http.NewRequestWithContext(context.Background(), args[0], "http://"+ts.Getenv("ADDR")+args[1], body)
	ts.Check(err)
	if token := ts.Getenv("SINEW_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("response"), fmt.Appendf(nil, "%d\n%s", res.StatusCode, data), 0o600))
	if (res.StatusCode >= 400) != neg {
		ts.Fatalf("%s %s: %d %s", args[0], args[1], res.StatusCode, data)
	}
}

// waitFor waits until the server at $ADDR is ready.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: waitfor")
	}
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		res, err := http.Get("http://" + ts.Getenv("ADDR") + "/health/ready")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the server at %s is not ready: %v", ts.Getenv("ADDR"), err)
		}
	}
}

// age DAYS makes the payloads of $SINEW_DATABASE older, as if so many days had
// passed since they came.
func age(ts *testscript.TestScript, neg bool, args []string) {
	days := 0
	var err error
	if len(args) == 1 {
		days, err = strconv.Atoi(args[0])
	}
	if neg || err != nil || days < 1 {
		ts.Fatalf("usage: age DAYS")
	}
	dsn, driver := ts.Getenv("SINEW_DATABASE"), "sqlite"
	if strings.HasPrefix(dsn, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, dsn)
	ts.Check(err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), `UPDATE blob SET created_at = created_at - $1, named_at = named_at - $1 WHERE named_at > 0`,
		time.Duration(days*24)*time.Hour/time.Microsecond)
	ts.Check(err)
}

// mangleBytes FILE changes one byte in the middle of a file.
func mangleBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mangle-bytes FILE")
	}
	data := []byte(ts.ReadFile(args[0]))
	data[len(data)/2] ^= 0x55
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// sarif FILE 'RULE PATH:LINE SNIPPET'... writes a report with these results; a
// RULE like sqli/error has the level error.
func sarif(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: sarif FILE 'RULE PATH:LINE SNIPPET'...")
	}
	type obj = map[string]any
	results, rules := []obj{}, []obj{}
	for _, a := range args[1:] {
		rule, rest, _ := strings.Cut(a, " ")
		place, snippet, _ := strings.Cut(rest, " ")
		path, line, ok := strings.Cut(place, ":")
		n, err := strconv.Atoi(line)
		if !ok || err != nil {
			ts.Fatalf("%q is not RULE PATH:LINE SNIPPET", a)
		}
		id, level, ok := strings.Cut(rule, "/")
		if !ok {
			level = "warning"
		}
		region := obj{"startLine": n}
		if snippet != "" {
			region["snippet"] = obj{"text": snippet}
		}
		rules = append(rules, obj{"id": id})
		results = append(results, obj{
			"ruleId": id, "level": level, "message": obj{"text": id + " in " + path},
			"locations": []obj{{"physicalLocation": obj{"artifactLocation": obj{"uri": path}, "region": region}}},
		})
	}
	data, err := json.Marshal(obj{"version": "2.1.0", "runs": []obj{{
		"tool": obj{"driver": obj{"name": "Story", "rules": rules}}, "results": results,
	}}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// mangle FILE FROM TO [FROM TO...] rewrites a file: each FROM becomes TO.
func mangle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args)%2 == 0 {
		ts.Fatalf("usage: mangle FILE FROM TO...")
	}
	text := ts.ReadFile(args[0])
	for i := 1; i < len(args); i += 2 {
		if !strings.Contains(text, args[i]) {
			ts.Fatalf("%s does not contain %q", args[0], args[i])
		}
		text = strings.ReplaceAll(text, args[i], args[i+1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
