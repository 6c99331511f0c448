// Package sandbox parses a report in a child process: the same binary, started
// with a hidden argument, without environment, with limits on memory and time,
// and with nothing open but the encrypted report and its pipes. Reports are
// written by strangers; what goes wrong in reading one must not reach the server.
//
// The package refuses to give the child a database, a configuration or a secret
// other than the keys of this report.
package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Arg is the hidden argument that makes the binary call [Child].
const Arg = "parse-child"

// Options steer one parse in a child. Zero fields take their defaults.
type Options struct {
	Format   string        // mapping id; empty to detect it
	Formats  string        // the operator's directory of mappings, if there is one
	Key      []byte        // HMAC key of the redaction; empty for sinew:secret:local:<n>
	KeyID    string        //
	Limits   format.Limits //
	SpoolDir string        // for encrypted temporary files
	Memory   int64         // resident bytes; 256 MiB
	CPU      time.Duration // 30 min
	Wall     time.Duration // 60 min
	Evidence io.Writer     // takes the redacted report; nil for none

	// Raw takes the lines of the body as the child wrote them, JSON with a newline,
	// in the place of the sink: decoding them costs as much as mapping them did.
	Raw func(line []byte) error
}

const (
	defaultMemory = 256 << 20
	defaultCPU    = 30 * time.Minute
	defaultWall   = time.Hour
	watchEvery    = 20 * time.Millisecond
	maxFrame      = 64 << 20
)

// request is what the child is told, as one line on its standard input.
type request struct {
	Name     string        `json:"name"`
	Size     int64         `json:"size"`
	SpoolKey []byte        `json:"spool_key"`
	Format   string        `json:"format"`
	Formats  string        `json:"formats"`
	Key      []byte        `json:"key"`
	KeyID    string        `json:"key_id"`
	Limits   format.Limits `json:"limits"`
	SpoolDir string        `json:"spool_dir"`
	Memory   int64         `json:"memory"`
	CPU      time.Duration `json:"cpu"`
	Evidence bool          `json:"evidence"`
}

// result is the child's answer after the body.
type result struct {
	Format   string         `json:"format"`
	Snapshot sinew.Snapshot `json:"snapshot"`
	Member   string         `json:"member"`
	Secrets  int            `json:"secrets"`
}

// The kinds of frames on the child's standard output: a kind byte, a length, the
// payload.
const (
	frameBody     = 'b' // sinew.SnapshotBody
	frameResult   = 'r' // result
	frameClean    = 'c' // the report tells no secrets: the parent's copy is the evidence
	frameEvidence = 'e' // bytes of the redacted report
	frameError    = 'x' // sinew.Error
	frameEnd      = 'z'
)

// Result is what the report says as a whole; Format is nil for a file that could
// be anything (see format.Result).
type Result struct {
	Format   *format.Format
	Snapshot sinew.Snapshot
	Member   string
	Secrets  int // how many different values were replaced
}

// Run parses a spooled report in a child process of exe and gives the body's
// lines to the sink, then, or at the same time from another goroutine, the redacted
// report to opt.Evidence. The engine
// resolves the format that the child names; both must have been made from the
// same mappings. A child that breaks a limit is killed: CodeTooLarge.
func Run(ctx context.Context, exe string, engine *format.Engine, name string, spool *format.Spool, opt Options, sink format.Sink) (*Result, error) {
	c := &child{opt: opt.withDefaults(), name: name, caller: ctx}
	return c.run(ctx, exe, engine, spool, sink)
}

func (c *child) run(ctx context.Context, exe string, engine *format.Engine, spool *format.Spool, sink format.Sink) (*Result, error) {
	opt := c.opt
	ctx, cancel := context.WithTimeout(ctx, opt.Wall)
	defer cancel()
	c.cmd = exec.CommandContext(ctx, exe, Arg)
	c.cmd.Env = []string{"GOTRACEBACK=none"}
	c.cmd.WaitDelay = 5 * time.Second
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the parser: %w", err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the parser: %w", err)
	}
	passed := passFile(c.cmd, spool.File())
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the parser: %w", err)
	}
	go c.watch(ctx)
	go func() {
		// The pipe stays open: its end tells the child that we are gone.
		err := c.send(stdin, spool, passed)
		if err != nil {
			cancel()
		}
	}()
	res, err := c.receive(ctx, stdout, engine, spool, sink)
	err = c.copied.wait(err)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		c.ended = true
		cancel() // nobody listens to the child any more
	}
	_ = stdin.Close()
	_, _ = io.Copy(io.Discard, stdout)
	werr := c.cmd.Wait()
	c.stopped.Store(true)
	return res, c.explain(ctx, err, werr)
}

func (o Options) withDefaults() Options {
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.CPU == 0 {
		o.CPU = defaultCPU
	}
	if o.Wall == 0 {
		o.Wall = defaultWall
	}
	return o
}

type child struct {
	opt     Options
	name    string
	cmd     *exec.Cmd
	caller  context.Context //nolint:containedctx // of one call
	stderr  tail
	copied  copying
	ended   bool         // by us, since nobody listens any more
	peak    atomic.Int64 // resident bytes, as far as seen
	tooBig  atomic.Bool
	stopped atomic.Bool
}

// send writes the request, and the report itself where files cannot be passed.
func (c *child) send(w io.Writer, spool *format.Spool, passed bool) error {
	key := spool.Key()
	req := request{
		Name: c.name, Size: spool.Size(), Format: c.opt.Format, Formats: c.opt.Formats, Key: c.opt.Key, KeyID: c.opt.KeyID,
		Limits: c.opt.Limits, SpoolDir: c.opt.SpoolDir, Memory: c.opt.Memory, CPU: c.opt.CPU, Evidence: c.opt.Evidence != nil,
	}
	if passed {
		req.SpoolKey = key[:]
	}
	line, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	if !passed {
		_, err = io.Copy(w, io.NewSectionReader(spool, 0, spool.Size()))
	}
	return err
}

// sinkFailed carries an error of the caller past the explanation of the child's.
type sinkFailed struct{ err error }

func (e *sinkFailed) Error() string { return e.err.Error() }
func (e *sinkFailed) Unwrap() error { return e.err }

var errBroken = errors.New("the parser broke off")

// copying writes a report that tells no secrets to the evidence, while the lines of
// its body come in.
type copying struct {
	stop context.CancelFunc
	done chan error
}

func (c *copying) start(ctx context.Context, spool *format.Spool, to io.Writer) {
	ctx, c.stop = context.WithCancel(ctx)
	c.done = make(chan error, 1)
	go func() { c.done <- format.Redact(ctx, format.Input{R: spool, Size: spool.Size()}, nil, to) }()
}

// wait ends the copying: at once, if something else failed.
func (c *copying) wait(failed error) error {
	if c.done == nil {
		return failed
	}
	defer c.stop()
	if failed != nil {
		c.stop()
		<-c.done //nolint:errcheck // what failed first is told
		return failed
	}
	if err := <-c.done; err != nil {
		return &sinkFailed{fmt.Errorf("keep the evidence: %w", err)}
	}
	return nil
}

// receive reads the child's frames.
func (c *child) receive(ctx context.Context, r io.Reader, engine *format.Engine, spool *format.Spool, sink format.Sink) (*Result, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	var res *Result
	var buf []byte
	for {
		kind, payload, err := readFrame(br, &buf)
		if err != nil {
			return nil, errors.Join(errBroken, err)
		}
		switch kind {
		case frameBody:
			if c.opt.Raw != nil {
				if err := c.opt.Raw(payload); err != nil {
					return nil, &sinkFailed{err}
				}
				continue
			}
			var b sinew.SnapshotBody
			d := json.NewDecoder(bytes.NewReader(payload))
			d.UseNumber()
			if err := d.Decode(&b); err != nil {
				return nil, errors.Join(errBroken, err)
			}
			if err := sink(b); err != nil {
				return nil, &sinkFailed{err}
			}
		case frameResult:
			var a result
			if err := json.Unmarshal(payload, &a); err != nil {
				return nil, errors.Join(errBroken, err)
			}
			res = &Result{Snapshot: a.Snapshot, Member: a.Member, Secrets: a.Secrets}
			if a.Format != "" {
				if res.Format, err = engine.Format(a.Format); err != nil {
					return nil, err
				}
			}
		case frameClean, frameEvidence:
			if c.opt.Evidence == nil || c.copied.done != nil {
				return nil, errBroken
			}
			if kind == frameClean {
				c.copied.start(ctx, spool, c.opt.Evidence)
			} else if _, err := c.opt.Evidence.Write(payload); err != nil {
				return nil, &sinkFailed{fmt.Errorf("keep the evidence: %w", err)}
			}
		case frameError:
			e := &sinew.Error{}
			if err := json.Unmarshal(payload, e); err != nil {
				return nil, errors.Join(errBroken, err)
			}
			return nil, e
		case frameEnd:
			if res == nil {
				return nil, errBroken
			}
			return res, nil
		default:
			return nil, errBroken
		}
	}
}

// explain turns the end of the child into an error for people. What the child
// printed is not repeated: it may hold what the report holds.
func (c *child) explain(ctx context.Context, err, waited error) error {
	var sf *sinkFailed
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sf):
		return sf.err
	case !errors.Is(err, errBroken):
		return err
	case c.tooBig.Load() || c.stderr.says("out of memory", "cannot allocate memory"):
		return sinew.Errorf(sinew.CodeTooLarge, "reading the report needs more than %d MiB of memory", c.opt.Memory>>20).
			At(c.name).Hint("no scanner's report should; split it, or raise the limit in the configuration")
	case c.caller.Err() != nil:
		return context.Cause(c.caller)
	case ctx.Err() != nil && !c.ended:
		return sinew.Errorf(sinew.CodeTooLarge, "reading the report took longer than %v", c.opt.Wall).
			At(c.name).Hint("split the report, or raise the limit in the configuration")
	case !c.ended && overCPU(waited):
		return sinew.Errorf(sinew.CodeTooLarge, "reading the report took more than %v of processor time", c.opt.CPU).
			At(c.name).Hint("split the report, or raise the limit in the configuration")
	}
	e := sinew.Errorf(sinew.CodeInternal, "the parser of reports crashed").At(c.name).Hint("please report it, with the scanner's name and version")
	e.Err = errors.Join(waited, err)
	return e
}

// watch kills a child that uses too much memory.
func (c *child) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for !c.stopped.Load() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			rss := residentBytes(c.cmd.Process.Pid)
			c.peak.Store(max(rss, c.peak.Load()))
			if rss > c.opt.Memory {
				c.tooBig.Store(true)
				_ = c.cmd.Process.Kill()
				return
			}
		}
	}
}

// tail keeps the last bytes written, and the first.
type tail struct{ first, last []byte }

func (t *tail) Write(p []byte) (int, error) {
	if room := 1024 - len(t.first); room > 0 {
		t.first = append(t.first, p[:min(room, len(p))]...)
	}
	t.last = append(t.last, p...)
	if len(t.last) > 4096 {
		t.last = append(t.last[:0], t.last[len(t.last)-4096:]...)
	}
	return len(p), nil
}

func (t *tail) says(words ...string) bool {
	for _, w := range words {
		if strings.Contains(string(t.first), w) || strings.Contains(string(t.last), w) {
			return true
		}
	}
	return false
}

func readFrame(r *bufio.Reader, buf *[]byte) (byte, []byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if n > maxFrame {
		return 0, nil, errors.New("frame too large")
	}
	if uint64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	b := (*buf)[:n]
	_, err = io.ReadFull(r, b)
	return kind, b, err
}

func writeFrame(w *bufio.Writer, kind byte, payload []byte) error {
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = kind
	n := 1 + binary.PutUvarint(head[1:], uint64(len(payload)))
	if _, err := w.Write(head[:n]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}
