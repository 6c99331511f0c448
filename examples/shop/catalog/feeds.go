package main

import (
	"archive/zip"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Some suppliers still run self-signed certificates.
var feedClient = &http.Client{
	Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10},
	},
}

// importFeed fetches a supplier's archive, unpacks its pictures and merges its
// product list.
func (s *server) importFeed(w http.ResponseWriter, r *http.Request) {
	url := r.FormValue("url")
	res, err := feedClient.Get(url)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()

	archive := filepath.Join(s.workDir, "feed.zip")
	out, err := os.OpenFile(archive, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0666)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.Copy(out, res.Body)
	out.Close()

	if err := s.unpack(archive); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	log.Printf("feed from %s: now %d products", url, s.store.count())
	writeJSON(w, map[string]int{"products": s.store.count()})
}

func (s *server) unpack(archive string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer zr.Close()
	for _, entry := range zr.File {
		in, err := entry.Open()
		if err != nil {
			return err
		}
		if strings.HasSuffix(entry.Name, ".yaml") {
			raw, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			if err := s.store.merge(raw); err != nil {
				return err
			}
			continue
		}
		out, err := os.Create(filepath.Join(s.imageDir, entry.Name))
		if err != nil {
			return err
		}
		io.Copy(out, in)
		out.Close()
		in.Close()
	}
	return nil
}
