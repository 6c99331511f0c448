package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Front is how a server is reached.
type Front struct {
	CertFile, KeyFile string         // PEM; without them the server speaks plain HTTP
	Proxies           []netip.Prefix // whose X-Forwarded-For and -Proto are believed
	InsecureHTTP      bool           // plain HTTP is wanted, on whatever network that is
	URL               string         // where browsers find the server; empty for where each request went
}

// Check says why a server may not be reached so, if it may not.
func (f Front) Check(listen string) error {
	_, err := f.check(listen)
	return err
}

// check refuses what would send passwords and reports over a network in clear.
// Behind a proxy that ends TLS, what did not come by TLS is refused one by one.
func (f Front) check(listen string) (requireTLS bool, err error) {
	if (f.CertFile == "") != (f.KeyFile == "") {
		return false, sinew.Errorf(sinew.CodeInvalid, "a certificate and its key belong together").Hint("give both --tls-cert and --tls-key")
	}
	if f.URL != "" {
		u, err := url.Parse(f.URL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return false, sinew.Errorf(sinew.CodeInvalid, "%.200q is no address of a server", f.URL).Hint("give scheme and host only, like https://sinew.example.org")
		}
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false, sinew.Errorf(sinew.CodeInvalid, "%.200q is nothing to listen on: %w", listen, err).Hint("give HOST:PORT, like 127.0.0.1:8080 or :8443")
	}
	addr, _ := netip.ParseAddr(host)
	switch {
	case f.CertFile != "", f.InsecureHTTP:
		return false, nil
	case len(f.Proxies) > 0:
		return true, nil
	case host == "localhost", addr.IsLoopback():
		return false, nil
	}
	return false, sinew.Errorf(sinew.CodeInvalid, "listening on %s without TLS would send passwords and reports in clear", listen).
		Hint("give --tls-cert and --tls-key; or --proxy with the address of the TLS proxy before it; or --insecure-http if nobody else is on that network")
}

// certificate is a pair of files that may be replaced while the server runs.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // what the files looked like when they were read
	looked  time.Time
}

// lookEvery is how late a replaced certificate may be seen.
const lookEvery = 10 * time.Second

func newCertificate(f Front, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: f.CertFile, keyFile: f.KeyFile, log: log, now: time.Now}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c, c.read()
}

// read loads the files. Those that do not fit leave the certificate as it is.
func (c *certificate) read() error {
	c.looked = c.now()
	stamp, err := c.look()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return sinew.Errorf(sinew.CodeInvalid, "the certificate cannot be used: %w", err).At(c.certFile).
			Hint("both files are PEM; the certificate comes first in its file, then those that signed it")
	}
	if left := pair.Leaf.NotAfter.Sub(c.now()); left < 14*24*time.Hour {
		c.log.Warn("the certificate ends soon, or has ended", "file", c.certFile, "ends", pair.Leaf.NotAfter)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// look tells whether the files are others than before.
func (c *certificate) look() (string, error) {
	var stamp strings.Builder
	for _, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return "", sinew.Errorf(sinew.CodeInvalid, "the certificate cannot be read: %w", err).At(file)
		}
		fmt.Fprintf(&stamp, "%d %d;", info.ModTime().UnixNano(), info.Size())
	}
	return stamp.String(), nil
}

// get gives the certificate for a connection, read again if the files changed.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= lookEvery {
		c.looked = c.now()
		if stamp, err := c.look(); err != nil || stamp != c.stamp {
			c.again()
		}
	}
	return c.current, nil
}

// again reads the files again; the certificate that there is goes on if they do
// not fit.
func (c *certificate) again() {
	if err := c.read(); err != nil {
		c.log.Error("the new certificate is not used", "error", err)
		return
	}
	c.log.Info("the certificate was read again", "file", c.certFile, "ends", c.current.Leaf.NotAfter)
}

// reload reads the files again at SIGHUP, until ctx ends.
func (c *certificate) reload(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			c.mu.Lock()
			c.again()
			c.mu.Unlock()
		}
	}
}

// listen opens the port, with TLS where a certificate is given. The second
// result keeps the certificate current and is nil without one.
func (f Front) listen(ctx context.Context, address string, log *slog.Logger) (net.Listener, *certificate, error) {
	var cert *certificate
	if f.CertFile != "" {
		var err error
		if cert, err = newCertificate(f, log); err != nil {
			return nil, nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, cert, nil
}

// address is where a listening server is to be found from this machine, or where
// its operator says that it is.
func (f Front) address(l net.Listener) string {
	switch {
	case f.URL != "":
		return strings.TrimSuffix(f.URL, "/")
	case f.CertFile != "":
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// ParseProxies reads addresses and networks of proxies.
func ParseProxies(list []string) (proxies []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, sinew.Errorf(sinew.CodeInvalid, "%.100q is no address of a proxy", text).Hint("give addresses or networks, like 10.0.0.7 or 10.0.0.0/24")
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		proxies = append(proxies, p.Masked())
	}
	return proxies, nil
}
