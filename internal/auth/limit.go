package auth

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// limiter bounds how often somebody may try, by name: burst attempts at once,
// then one every interval. It remembers at most size names; the one not used
// for longest is forgotten first.
type limiter struct {
	burst    int
	interval time.Duration
	size     int
	now      func() time.Time

	mu    sync.Mutex
	names map[string]*list.Element
	order list.List // of *attempts, the last used first
}

// attempts is a bucket in the form of the generic cell rate algorithm: the time
// at which it would be full again.
type attempts struct {
	name string
	full time.Time
}

func newLimiter(burst int, interval time.Duration, size int, now func() time.Time) *limiter {
	return &limiter{burst: burst, interval: interval, size: size, now: now, names: map[string]*list.Element{}}
}

// take counts one attempt, or says how long to wait before the next.
func (l *limiter) take(name string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	at, known := l.names[name]
	if !known {
		for l.order.Len() >= l.size {
			last := l.order.Back()
			delete(l.names, last.Value.(*attempts).name) //nolint:forcetypeassert // only *attempts go in
			l.order.Remove(last)
		}
		at = l.order.PushFront(&attempts{name: name})
		l.names[name] = at
	}
	l.order.MoveToFront(at)
	a := at.Value.(*attempts) //nolint:forcetypeassert // only *attempts go in
	full := a.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.interval)
	if wait := full.Sub(now) - time.Duration(l.burst)*l.interval; wait > 0 {
		return wait
	}
	a.full = full
	return 0
}

// forget clears a name: its owner has shown to be who he is.
func (l *limiter) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.names[name]; known {
		delete(l.names, name)
		l.order.Remove(at)
	}
}

// recent is a set that remembers at most size names; the one not used for longest
// is forgotten first.
type recent struct {
	size int

	mu    sync.Mutex
	names map[string]*list.Element
	order list.List // of strings, the last used first
}

func newRecent(size int) *recent { return &recent{size: size, names: map[string]*list.Element{}} }

func (r *recent) add(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, known := r.names[name]; known {
		r.order.MoveToFront(at)
		return
	}
	for r.order.Len() >= r.size {
		last := r.order.Back()
		delete(r.names, last.Value.(string)) //nolint:forcetypeassert // only strings go in
		r.order.Remove(last)
	}
	r.names[name] = r.order.PushFront(name)
}

func (r *recent) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.names[name]
	if known {
		r.order.MoveToFront(at)
	}
	return known
}

// network is what counts as one sender: an IPv4 address, or the /64 that one
// IPv6 customer has at least.
func network(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return "unknown"
	}
	if addr.Is6() {
		p, err := addr.Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// Wait is the cause of the error that the limiter gives: how long to wait.
type Wait time.Duration

func (w Wait) Error() string { return "too many attempts" }

// tooOften is the answer to whom the limiter stops.
func tooOften(wait time.Duration) error {
	wait = (wait + time.Second - 1).Truncate(time.Second)
	err := sinew.Errorf(sinew.CodeUnavailable, "too many attempts to sign in").Hint("try again in %s", wait)
	err.Err = Wait(wait)
	return err
}
