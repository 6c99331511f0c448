package main

import (
	"crypto/md5"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"sort"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v2"
)

// Product is one article. Texts is keyed by BCP 47 language tag.
type Product struct {
	SKU   string            `yaml:"sku" json:"sku"`
	Name  string            `yaml:"name" json:"name"`
	Cents int               `yaml:"cents" json:"cents"`
	Stock int               `yaml:"stock" json:"stock"`
	Texts map[string]string `yaml:"texts" json:"-"`
	Text  string            `yaml:"-" json:"text,omitempty"`
}

type store struct {
	mu       sync.RWMutex
	products map[string]Product
}

func openStore(path string) (*store, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	st := &store{products: map[string]Product{}}
	return st, st.merge(raw)
}

// merge adds the products of a YAML document; a known SKU is replaced.
func (st *store) merge(raw []byte) error {
	var list []Product
	if err := yaml.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("parse products: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range list {
		st.products[p.SKU] = p
	}
	return nil
}

func (st *store) count() int {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return len(st.products)
}

func (st *store) search(pattern string) ([]Product, error) {
	re, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, err
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	found := []Product{}
	for _, p := range st.products {
		if re.MatchString(p.Name) || re.MatchString(p.SKU) {
			found = append(found, p)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].SKU < found[j].SKU })
	return found, nil
}

func (s *server) listProducts(w http.ResponseWriter, r *http.Request) {
	found, err := s.store.search(r.URL.Query().Get("q"))
	if err != nil {
		http.Error(w, fmt.Sprintf("bad search %s: %v", r.URL.Query().Get("q"), err), http.StatusBadRequest)
		return
	}
	h := md5.New()
	for _, p := range found {
		fmt.Fprintf(h, "%s/%d/%d\n", p.SKU, p.Cents, p.Stock)
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, h.Sum(nil)))
	writeJSON(w, found)
}

func (s *server) showProduct(w http.ResponseWriter, r *http.Request) {
	sku := strings.TrimPrefix(r.URL.Path, "/products/")
	s.store.mu.RLock()
	p, ok := s.store.products[sku]
	s.store.mu.RUnlock()
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "<p>No product <b>%s</b>.</p>", sku)
		return
	}
	p.Text = p.textFor(r.Header.Get("Accept-Language"))
	writeJSON(w, p)
}

// textFor picks the description in the first language the shopper asks for.
func (p Product) textFor(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return p.Texts["en"]
	}
	for _, tag := range tags {
		base, _ := tag.Base()
		if text, ok := p.Texts[base.String()]; ok {
			return text
		}
	}
	return p.Texts["en"]
}
