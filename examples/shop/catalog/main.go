// Command catalog serves the shop's product list, its pictures and the
// nightly import of supplier feeds.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

type server struct {
	store    *store
	imageDir string
	workDir  string
}

func main() {
	dataDir := env("CATALOG_DATA", "data")
	st, err := openStore(filepath.Join(dataDir, "products.yaml"))
	if err != nil {
		log.Fatalf("load products: %v", err)
	}
	s := &server{
		store:    st,
		imageDir: env("CATALOG_IMAGES", filepath.Join(dataDir, "images")),
		workDir:  env("CATALOG_WORK", "/tmp/catalog"),
	}
	os.MkdirAll(s.workDir, 0777)

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	mux.HandleFunc("/products", s.listProducts)
	mux.HandleFunc("/products/", s.showProduct)
	mux.HandleFunc("/images", s.showImage)
	mux.HandleFunc("/login", s.login)
	mux.HandleFunc("/admin/thumbnails", s.requireStaff(s.makeThumbnail))
	mux.HandleFunc("/admin/feeds", s.requireStaff(s.importFeed))

	addr := env("CATALOG_ADDR", ":8081")
	log.Printf("catalog: %d products, listening on %s", st.count(), addr)
	log.Fatal(http.ListenAndServe(addr, mux))
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func writeJSON(w http.ResponseWriter, v interface{}) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	json.NewEncoder(w).Encode(v)
}
