//go:build unix && !linux

package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func passFile(*exec.Cmd, *os.File) bool { return false }

// limitSelf puts the calling process under limits that it cannot lift again.
// What counts as data differs: OpenBSD counts all that Go takes, macOS takes the
// limit and does not hold it. Everywhere the process watches itself (selfwatch.go).
func limitSelf(memory int64, cpu time.Duration) error {
	set := func(resource int, n int64) error {
		var l syscall.Rlimit
		assign(&l.Cur, n)
		assign(&l.Max, n)
		return syscall.Setrlimit(resource, &l)
	}
	return errors.Join(
		set(syscall.RLIMIT_CPU, int64(max(cpu/time.Second, 1))),
		set(syscall.RLIMIT_DATA, 2*memory+256<<20),
		set(syscall.RLIMIT_CORE, 0),
		set(syscall.RLIMIT_NOFILE, 64),
	)
}

// assign bridges that some systems count limits signed and others do not.
func assign[T int64 | uint64](to *T, n int64) { *to = T(n) }

// residentBytes is 0: the parent cannot see it without help.
func residentBytes(int) int64 { return 0 }

// overCPU reports whether a process was ended by its limit on processor time.
func overCPU(err error) bool {
	var ee *exec.ExitError
	if !errors.As(err, &ee) {
		return false
	}
	ws, ok := ee.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && (ws.Signal() == syscall.SIGXCPU || ws.Signal() == syscall.SIGKILL)
}
