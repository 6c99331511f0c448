// Package openidtest starts a real OpenID provider on loopback for tests:
// panva's oidc-provider in a process of its own, run by Node.js. It refuses to
// stand in for one: what a provider must not do is tested against servers that
// the tests write themselves.
package openidtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Provider is a running provider, registered as which we are.
type Provider struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`

	t     testing.TB
	stdin io.Closer
	cmd   *exec.Cmd
	back  string
}

// Claims are what the provider says of somebody.
type Claims map[string]any

// Start starts a provider that sends browsers back to redirect, and afterLogout
// if that is not empty; its ID tokens live for so long. It ends with the test.
func Start(t testing.TB, redirect, afterLogout string, idToken time.Duration) *Provider {
	t.Helper()
	dir := repository(t)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		t.Fatalf("the provider is not installed: run `make browser-deps` (%v)", err)
	}
	args := []string{"provider.mjs", "--redirect", redirect, "--id-token-seconds", strconv.Itoa(int(idToken / time.Second))}
	if afterLogout != "" {
		args = append(args, "--after-logout", afterLogout)
	}
	p := &Provider{t: t, back: redirect, cmd: exec.Command("node", args...)}
	p.cmd.Dir = dir
	var said bytes.Buffer
	p.cmd.Stderr = &said
	in, err := p.cmd.StdinPipe()
	must(t, err)
	p.stdin = in
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(p.Stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the provider did not start: %v\n%s", err, said.Bytes())
	}
	must(t, json.Unmarshal(line, p))
	return p
}

// Stop ends the provider, so that nothing answers any more.
func (p *Provider) Stop() {
	if p.stdin == nil {
		return
	}
	_ = p.stdin.Close() // it ends with its input
	_ = p.cmd.Wait()
	p.stdin = nil
}

// People sets who can sign in, by subject.
func (p *Provider) People(people map[string]Claims) {
	p.t.Helper()
	body, err := json.Marshal(people)
	must(p.t, err)
	res, err := http.Post(p.Issuer+"/people", "application/json", bytes.NewReader(body))
	must(p.t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		p.t.Fatalf("the provider takes no people: %s", res.Status)
	}
}

var action = regexp.MustCompile(`action="([^"]+)"`)

// SignIn goes to the provider as a browser sent to location does, types subject
// into its form, and gives the address that it is sent back to.
func (p *Provider) SignIn(location, subject string) *url.URL {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	must(p.t, err)
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), p.back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	form := url.Values{"prompt": {"login"}, "login": {subject}, "password": {"any"}}
	res, err := browser.Get(location)
	for range 3 {
		must(p.t, err)
		body, readErr := io.ReadAll(res.Body)
		_ = res.Body.Close()
		must(p.t, readErr)
		if to, err := res.Location(); err == nil {
			return to
		}
		found := action.FindSubmatch(body)
		if found == nil {
			p.t.Fatalf("the provider shows no form at %s: %s\n%s", res.Request.URL, res.Status, body)
		}
		to, parseErr := res.Request.URL.Parse(html.UnescapeString(string(found[1])))
		must(p.t, parseErr)
		res, err = browser.PostForm(to.String(), form)
	}
	p.t.Fatalf("the provider asks and asks")
	return nil
}

// repository finds test/browser of this repository from wherever a test runs.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "test", "browser")
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("there is no go.mod above this test")
		}
		dir = filepath.Dir(dir)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
