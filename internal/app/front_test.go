package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestPlainHTTPIsRefused: what would cross a network in clear is not served
// unless somebody says so (TRU1).
func TestPlainHTTPIsRefused(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tc := range []struct {
		listen           string
		front            Front
		refused, tlsOnly bool
	}{
		{"127.0.0.1:8080", Front{}, false, false},
		{"localhost:8080", Front{}, false, false},
		{"[::1]:8080", Front{}, false, false},
		{":8080", Front{}, true, false},
		{"0.0.0.0:8080", Front{}, true, false},
		{"[::]:8080", Front{}, true, false},
		{"192.0.2.1:8080", Front{}, true, false},
		{"sinew.example.org:8080", Front{}, true, false},
		{":8080", Front{InsecureHTTP: true}, false, false},
		{":8080", Front{Proxies: proxy}, false, true},
		{"127.0.0.1:8080", Front{Proxies: proxy}, false, true},
		{":8443", Front{CertFile: "c", KeyFile: "k"}, false, false},
		{":8443", Front{CertFile: "c"}, true, false},
		{"127.0.0.1:8443", Front{KeyFile: "k"}, true, false},
		{"8080", Front{}, true, false},
		{"127.0.0.1:8080", Front{URL: "sinew.example.org"}, true, false},
		{"127.0.0.1:8080", Front{URL: "https://sinew.example.org/path"}, true, false},
		{"127.0.0.1:8080", Front{URL: "https://sinew.example.org/"}, false, false},
	} {
		tlsOnly, err := tc.front.check(tc.listen)
		e, ok := errors.AsType[*sinew.Error](err)
		if tc.refused != (err != nil) || tlsOnly != tc.tlsOnly || (err != nil && (!ok || e.Next == "")) {
			t.Errorf("%s with %+v: TLS only %t, %v", tc.listen, tc.front, tlsOnly, err)
		}
	}
	if got, err := ParseProxies([]string{"10.0.0.7", "2001:db8::/32", "192.0.2.9/24"}); err != nil ||
		!slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.0/24")}) {
		t.Errorf("proxies %v, %v", got, err)
	}
	if _, err := ParseProxies([]string{"proxy.example.org"}); sinew.CodeOf(err) != sinew.CodeInvalid {
		t.Errorf("a name as proxy: %v", err)
	}
}

// makeCertificate writes a certificate for 127.0.0.1 and its key, and gives a pool
// that trusts it.
func makeCertificate(t *testing.T, f Front, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(f.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(f.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	pool.AddCert(parsed)
	return pool
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCertificateIsReadAgain: new files are taken without a restart, and such as
// do not fit are not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	f := Front{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	makeCertificate(t, f, "one")
	c, err := newCertificate(f, slog.New(slog.DiscardHandler))
	must(t, err)
	now := time.Now()
	c.now = func() time.Time { return now }
	name := func() string {
		pair, err := c.get(nil)
		must(t, err)
		return pair.Leaf.Subject.CommonName
	}
	makeCertificate(t, f, "number two") // of another length: the clock of the disk may be coarse
	if got := name(); got != "one" {
		t.Errorf("at once: %s", got)
	}
	now = now.Add(lookEvery)
	if got := name(); got != "number two" {
		t.Errorf("after a while: %s", got)
	}
	must(t, os.WriteFile(f.KeyFile, []byte("rubbish"), 0o600))
	now = now.Add(lookEvery)
	if got := name(); got != "number two" {
		t.Errorf("with a key that does not fit: %s", got)
	}
	must(t, os.Remove(f.CertFile))
	now = now.Add(lookEvery)
	if got := name(); got != "number two" {
		t.Errorf("without the file: %s", got)
	}
	makeCertificate(t, f, "the third")
	now = now.Add(lookEvery)
	if got := name(); got != "the third" {
		t.Errorf("mended: %s", got)
	}
	for _, bad := range []Front{{CertFile: f.KeyFile, KeyFile: f.CertFile}, {CertFile: filepath.Join(dir, "none"), KeyFile: f.KeyFile}} {
		if _, err := newCertificate(bad, slog.New(slog.DiscardHandler)); sinew.CodeOf(err) != sinew.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestServeTLS serves https: new browsers get HSTS, old ones nothing (TRU1).
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	f := Front{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	pool := makeCertificate(t, f, "sinew")
	a, err := Open(t.Context(), Config{Database: filepath.Join(dir, "s.db"), Workspace: "default", Front: f})
	must(t, err)
	defer func() { must(t, a.Close()) }()
	ctx, stop := context.WithCancel(t.Context())
	started, done := make(chan Started, 1), make(chan error, 1)
	go func() { done <- a.Serve(ctx, "127.0.0.1:0", func(s Started) { started <- s }) }()
	var s Started
	select {
	case s = <-started:
	case err := <-done:
		t.Fatalf("it does not serve: %v", err)
	}
	if !strings.HasPrefix(s.URL, "https://127.0.0.1:") || !strings.HasPrefix(s.Invite, s.URL+"/join/") {
		t.Errorf("started %+v", s)
	}
	get := func(c *tls.Config) (*http.Response, error) {
		res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}}).Get(s.URL + "/health/live")
		if err == nil {
			_ = res.Body.Close()
		}
		return res, err
	}
	res, err := get(&tls.Config{RootCAs: pool})
	must(t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Strict-Transport-Security") == "" || res.Proto != "HTTP/2.0" {
		t.Errorf("%s %s, HSTS %q", res.Proto, res.Status, res.Header.Get("Strict-Transport-Security"))
	}
	if _, err := get(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if res, err := http.Get(strings.Replace(s.URL, "https", "http", 1) + "/health/live"); err == nil && res.StatusCode == http.StatusOK {
		t.Error("plain http is answered")
	}
	stop()
	must(t, <-done)
}
