package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// passFile gives the child an open file as its descriptor 3.
func passFile(cmd *exec.Cmd, f *os.File) bool {
	cmd.ExtraFiles = []*os.File{f}
	return true
}

// limitSelf puts the calling process under limits that it cannot lift again.
// Address space is left alone, since Go reserves far more than it uses; data is a
// backstop for what grows faster than the parent looks.
func limitSelf(memory int64, cpu time.Duration) error {
	set := func(resource int, n uint64) error {
		return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: n, Max: n})
	}
	seconds := uint64(max(cpu/time.Second, 1))
	return errors.Join(
		set(syscall.RLIMIT_CPU, seconds),
		set(syscall.RLIMIT_DATA, uint64(2*memory+256<<20)), //nolint:gosec // positive
		set(syscall.RLIMIT_CORE, 0),
		set(syscall.RLIMIT_NOFILE, 64),
	)
}

var pageSize = int64(os.Getpagesize())

// residentBytes reads the resident set of a process; 0 if it is gone.
func residentBytes(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return n * pageSize
}

// overCPU reports whether a process was ended by its limit on processor time.
func overCPU(err error) bool {
	var ee *exec.ExitError
	if !errors.As(err, &ee) {
		return false
	}
	ws, ok := ee.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && (ws.Signal() == syscall.SIGXCPU || ws.Signal() == syscall.SIGKILL)
}
