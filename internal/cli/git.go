package cli

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

// maxAncestors is how many commits before the scanned one are sent along, so
// that reports are ordered by history and not by clocks.
const maxAncestors = 1000

// fromGit fills what the upload does not say from a git working tree.
func fromGit(ctx context.Context, dir string, up *client.Upload) error {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...) //nolint:gosec // the user's own repository
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return "", sinew.Errorf(sinew.CodeInvalid, "git %s failed: %s", args[0], strings.TrimSpace(stderr.String())).
				At(dir).Hint("name target, ref and commit by their own flags instead of --git")
		}
		return strings.TrimSpace(string(out)), nil
	}
	commit, err := git("rev-parse", "--verify", "HEAD^{commit}")
	if err != nil {
		return err
	}
	if up.Commit == "" {
		up.Commit = commit
	}
	list, err := git("rev-list", fmt.Sprintf("--max-count=%d", maxAncestors+1), up.Commit)
	if err != nil {
		return err
	}
	if lines := strings.Fields(list); len(lines) > 1 {
		up.Ancestors = lines[1:]
	}
	if up.Ref == "" {
		if up.Ref, err = git("rev-parse", "--abbrev-ref", "HEAD"); err != nil {
			return err
		}
		if up.Ref == "HEAD" { // a detached checkout, as pipelines make it
			return sinew.Errorf(sinew.CodeInvalid, "the working tree is on no branch").At(dir).Hint("name it with --ref")
		}
	}
	if up.Target == "" {
		if remote, err := git("remote", "get-url", "origin"); err == nil {
			up.Target = repoKey(remote)
		}
	}
	return nil
}

// repoKey brings the many spellings of a repository's address to one:
// host/organisation/name.
func repoKey(remote string) string {
	s := strings.TrimSpace(remote)
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	} else if host, path, ok := strings.Cut(s, ":"); ok && !strings.Contains(host, "/") { // git@host:org/name
		s = host + "/" + path
	}
	if at := strings.LastIndex(s[:strings.IndexByte(s+"/", '/')], "@"); at >= 0 {
		s = s[at+1:]
	}
	return strings.TrimSuffix(strings.TrimRight(s, "/"), ".git")
}
