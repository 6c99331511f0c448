// Package cli is the command line: it parses arguments, calls the API and
// prints. Every command that touches data speaks to the API client; with
// --server that is a server somewhere, with --database it is the same handlers
// inside this process, so that both behave alike. It refuses to know SQL, and
// holds no logic that the API lacks.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The exit codes, documented in docs/cli.md.
const (
	ExitOK     = 0
	ExitGate   = 1 // a gate or check said no
	ExitUsage  = 2 // the call or its input is wrong; the message says how to mend it
	ExitBroken = 3 // something that should work does not
)

// Env is what a command may touch: streams, environment, and who it is.
type Env struct {
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
	// Tty says whether Stdout and Stderr are terminals that a person looks at.
	Tty bool
}

// commands is the whole command line; kong reads its tags.
type commands struct {
	Server    string `help:"URL of a sinew server." env:"SINEW_SERVER" placeholder:"URL" group:"Where"`
	Database  string `help:"Work directly on a database: the path of a SQLite file, or postgres://..." env:"SINEW_DATABASE" placeholder:"DSN" group:"Where"`
	Token     string `help:"API token for --server." env:"SINEW_TOKEN" placeholder:"TOKEN" group:"Where"`
	Workspace string `help:"Workspace to work in." env:"SINEW_WORKSPACE" default:"default" group:"Where"`
	Formats   string `help:"Directory of mapping files that add to or override the built-in formats." env:"SINEW_FORMATS" placeholder:"DIR" group:"Where"`
	KeyFile   string `help:"Master key for --database; default: DATABASE.key beside a SQLite file, or $$SINEW_KEY." env:"SINEW_KEY_FILE" placeholder:"FILE" group:"Where"`
	JSON      bool   `help:"Print JSON: one object a line." group:"Output"`
	Quiet     bool   `short:"q" help:"No progress and no hints, only results and errors." group:"Output"`

	Serve    serveCmd    `cmd:"" help:"Run the server." group:"Run"`
	Demo     demoCmd     `cmd:"" help:"Run the server on a new database with the demo shop's real reports loaded." group:"Run"`
	Import   importCmd   `cmd:"" help:"Import scanner reports; the format is found from the content." group:"Work"`
	Findings findingsCmd `cmd:"" help:"List, show and decide findings." group:"Work"`
	Issues   issuesCmd   `cmd:"" help:"Root causes: what mends several findings at once, and the work on it." group:"Work"`
	App      appCmd      `cmd:"" help:"Applications, rules, refs, deployments and assets." group:"Work"`
	Dedup    dedupCmd    `cmd:"" help:"What several tools tell of the same problem, why it is the same, and what people say of that." group:"Work"`
	Scanners scannersCmd `cmd:"" help:"What each tool contributes, and what would be lost without it." group:"Work"`
	Intel    intelCmd    `cmd:"" help:"Intelligence about vulnerabilities: what was imported, and imports of it." group:"Work"`
	Coverage coverageCmd `cmd:"" help:"What was tested, when, and what is missing: applications and tests." group:"Work"`
	View     viewCmd     `cmd:"" help:"Saved views of findings." group:"Work"`
	Parse    parseCmd    `cmd:"" help:"Show what a report says, without importing it." group:"Formats"`
	Format   formatCmd   `cmd:"" help:"List, show, test and start report formats." group:"Formats"`
	Log      logCmd      `cmd:"" help:"Show and verify the log of everything accepted and decided." group:"Keep"`
	Rebuild  rebuildCmd  `cmd:"" help:"Build the projections again from the log, beside the live ones, and swap." group:"Keep"`
	Rematch  rematchCmd  `cmd:"" help:"Run the matcher of this version over everything stored, and say or log what differs." group:"Keep"`
	Remap    remapCmd    `cmd:"" help:"Map the stored evidence again whose mapping has changed, and say or log what differs." group:"Keep"`
	Backup   backupCmd   `cmd:"" help:"Write a backup that restores on either engine." group:"Keep"`
	Restore  restoreCmd  `cmd:"" help:"Restore a backup into an empty database." group:"Keep"`
	Token_   tokenCmd    `cmd:"" name:"token" help:"API tokens." group:"Access"`
	User     userCmd     `cmd:"" help:"Users, invitations and roles on applications." group:"Access"`
	Provider providerCmd `cmd:"" help:"Providers of OpenID Connect that people sign in by." group:"Access"`
	Version  versionCmd  `cmd:"" help:"Print the version." group:"Run"`

	Completion completionCmd `cmd:"" help:"Print a completion script for bash, zsh or fish." group:"Run"`
	Complete   completeCmd   `cmd:"" name:"complete" hidden:"" passthrough:""`
	ParseChild parseChildCmd `cmd:"" name:"parse-child" hidden:""`
}

// Run parses args, runs the command and returns the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	var c commands
	exit := -1
	parser, err := kong.New(
		&c,
		kong.Name("sinew"),
		kong.Description("The open-source ASPM: one graph from code to cloud, fed by every scanner you have.\n\n"+usageExamples),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		_, _ = fmt.Fprintln(env.Stderr, "sinew:", err)
		return ExitBroken
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(negations(args))
	if exit >= 0 { // --help printed what was asked for
		return exit
	}
	if err != nil {
		return report(env, &c, usageError(err))
	}
	s := &session{ctx: ctx, env: env, opts: &c}
	err = k.Run(s)
	return report(env, &c, errors.Join(err, s.close()))
}

// negation is a filter's term that begins with a minus.
var negation = regexp.MustCompile(`^-[a-z_.]+(:|[<>]=?|=)`)

// negations keeps terms like -owner:none from being read as flags.
func negations(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		if a == "--" {
			break
		}
		if negation.MatchString(a) {
			out[i] = " " + a
		}
	}
	return out
}

const usageExamples = `Examples:
  sinew demo                                             look around, nothing to set up
  sinew import --database s.db trivy.json semgrep.sarif  one file is the whole server
  sinew findings --database s.db severity:critical is:open
  sinew import --server https://sinew.example.org report.json --app shop --ref main`

// usageError marks an error of kong's as the caller's.
func usageError(err error) error {
	if pe, ok := errors.AsType[*kong.ParseError](err); ok {
		return sinew.Errorf(sinew.CodeInvalid, "%s", pe.Error()).Hint("see sinew %s--help", commandPath(pe.Context))
	}
	return err
}

func commandPath(k *kong.Context) string {
	if k == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range k.Path {
		if p.Command != nil {
			b.WriteString(p.Command.Name + " ")
		}
	}
	return b.String()
}

// gateError says that a check ran well and its answer is no.
type gateError struct{ msg string }

func (e *gateError) Error() string { return e.msg }

// report prints err for a person, or as JSON, and chooses the exit code.
func report(env Env, c *commands, err error) int {
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, context.Canceled) {
		return 130
	}
	code := exitCode(err)
	if c.JSON {
		_ = writeJSON(env.Stderr, errorLine(err))
		return code
	}
	if e, ok := errors.AsType[*sinew.Error](err); ok {
		where := ""
		if e.Where != "" {
			where = e.Where + ": "
		}
		_, _ = fmt.Fprintf(env.Stderr, "sinew: %s%s\n", where, e.Message)
		if e.Next != "" {
			_, _ = fmt.Fprintf(env.Stderr, "  try: %s\n", e.Next)
		}
		return code
	}
	_, _ = fmt.Fprintf(env.Stderr, "sinew: %v\n", err)
	return code
}

// exitCode is the one switch from an error to an exit code.
func exitCode(err error) int {
	if _, ok := errors.AsType[*gateError](err); ok {
		return ExitGate
	}
	switch sinew.CodeOf(err) {
	case sinew.CodeInvalid, sinew.CodeUnsupported, sinew.CodeTooLarge, sinew.CodeNotFound,
		sinew.CodeConflict, sinew.CodeUnauthn, sinew.CodeDenied:
		return ExitUsage
	case sinew.CodeInternal, sinew.CodeUnavailable:
		return ExitBroken
	}
	return ExitBroken
}

// errorLine is the JSON form of an error.
func errorLine(err error) map[string]any {
	line := map[string]any{"schema": "error/v1", "code": sinew.CodeOf(err), "error": err.Error()}
	if e, ok := errors.AsType[*sinew.Error](err); ok {
		line["error"] = e.Message
		if e.Where != "" {
			line["where"] = e.Where
		}
		if e.Next != "" {
			line["next"] = e.Next
		}
	}
	return line
}

// memoryLimit is where the collector begins to work harder. With the caches of
// the database beside it a process stays below 256 MB.
const memoryLimit = 170 << 20

// Main runs the process: its own streams and arguments, ended in order by the
// first interrupt and at once by the second.
func Main(version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	return Run(ctx, DefaultEnv(version), os.Args[1:])
}

// DefaultEnv is the process's own.
func DefaultEnv(version string) Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version,
		Tty: isTerminal(os.Stdout) && isTerminal(os.Stderr),
	}
}
