package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

func (s *server) showImage(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	f, err := os.Open(filepath.Join(s.imageDir, name))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer f.Close()
	io.Copy(w, f)
}

// makeThumbnail scales a picture with ImageMagick, which the image carries
// anyway for the print catalogue.
func (s *server) makeThumbnail(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	size := r.FormValue("size")
	if size == "" {
		size = "200x200"
	}
	src := filepath.Join(s.imageDir, name)
	dst := filepath.Join(s.imageDir, "thumb-"+name)
	out, err := exec.Command("sh", "-c", "convert "+src+" -resize "+size+" "+dst).CombinedOutput()
	if err != nil {
		log.Printf("thumbnail %s: %v: %s", name, err, out)
		http.Error(w, string(out), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
}
