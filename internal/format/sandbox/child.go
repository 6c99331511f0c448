package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// maxBallast bounds the garbage between two runs of the collector.
const maxBallast = 32 << 20

// Child is the main function of the child process: it reads the request, puts
// itself under its limits, parses, and writes frames. The returned error is for
// the exit code only; the parent has been told.
func Child(ctx context.Context, stdin io.Reader, stdout io.Writer, engine func(formatsDir string) (*format.Engine, error)) error {
	in := bufio.NewReaderSize(stdin, 64<<10)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var req request
	if err := json.Unmarshal(line, &req); err != nil || len(req.SpoolKey) != 0 && len(req.SpoolKey) != 32 {
		return errors.New("the request is not understood")
	}
	out := bufio.NewWriterSize(stdout, 256<<10)
	err = serve(ctx, &req, in, out, engine)
	if err != nil {
		var e *sinew.Error
		if !errors.As(err, &e) {
			e = &sinew.Error{Code: sinew.CodeOf(err), Message: err.Error(), Where: req.Name}
		}
		text, merr := json.Marshal(e)
		if merr != nil {
			return merr
		}
		return errors.Join(writeFrame(out, frameError, text), out.Flush())
	}
	return errors.Join(writeFrame(out, frameEnd, nil), out.Flush())
}

func serve(ctx context.Context, req *request, in io.Reader, out *bufio.Writer, engine func(string) (*format.Engine, error)) error {
	// The collector's pace is set by what is alive, which is little here: it would
	// run after every few megabytes, and take a third of the processor. An array
	// that nobody touches counts as alive and takes no memory. The limit, above
	// which it works harder, leaves room for the program itself.
	ballast := make([]byte, min(req.Memory/8, maxBallast))
	defer runtime.KeepAlive(ballast)
	debug.SetMemoryLimit(max(req.Memory/2, 32<<20) + int64(len(ballast)))
	debug.SetGCPercent(100)
	if err := limitSelf(req.Memory, req.CPU); err != nil {
		return fmt.Errorf("set the parser's limits: %w", err)
	}
	go selfWatch(ctx, req.Memory+int64(len(ballast)), watchEvery, func() {
		_, _ = fmt.Fprintln(os.Stderr, "sinew: out of memory") // the parent knows these words
		os.Exit(1)
	})
	spool, err := report(req, in)
	if err != nil {
		return err
	}
	defer spool.Close()
	go func() {
		// The parent writes nothing more; the end of the pipe is its end.
		_, _ = io.Copy(io.Discard, in)
		os.Exit(1)
	}()
	e, err := engine(req.Formats)
	if err != nil {
		return err
	}
	opt := format.Options{Format: req.Format, Limits: req.Limits, SpoolDir: req.SpoolDir}
	if len(req.Key) > 0 {
		opt.Redactor = format.NewRedactor(req.Key, req.KeyID)
	}
	input := format.Input{Name: req.Name, R: spool, Size: spool.Size()}
	opt.Lines = func(line []byte) error { return writeFrame(out, frameBody, line) }
	clean := false
	if req.Evidence {
		opt.Clean = func() error {
			clean = true
			return errors.Join(writeFrame(out, frameClean, nil), out.Flush())
		}
	}
	res, err := e.Parse(ctx, input, opt, nil)
	if err != nil {
		return err
	}
	a := result{Snapshot: res.Snapshot, Member: res.Member, Secrets: res.Secrets.Count()}
	if res.Format != nil {
		a.Format = res.Format.ID
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := writeFrame(out, frameResult, text); err != nil {
		return err
	}
	if !req.Evidence || clean {
		return nil
	}
	return format.Redact(ctx, input, res.Secrets, frames{out})
}

// report opens the report: the file that was passed, or what follows the request.
func report(req *request, in io.Reader) (*format.Spool, error) {
	if len(req.SpoolKey) == 32 {
		return format.OpenSpool(os.NewFile(3, "report"), [32]byte(req.SpoolKey), req.Size)
	}
	s, err := format.NewSpool(req.SpoolDir, 0)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(s, in, req.Size); err != nil {
		return nil, errors.Join(fmt.Errorf("receive the report: %w", err), s.Close())
	}
	return s, nil
}

// frames writes evidence.
type frames struct{ w *bufio.Writer }

func (f frames) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := min(len(p)-done, 256<<10)
		if err := writeFrame(f.w, frameEvidence, p[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
