package store

import (
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// UnassignedName is what the unit of everything that no rule claims is called.
const UnassignedName = "unassigned"

// finding makes the public form of a row.
func (v *view) finding(row *FindingRow, n nearby) sinew.Finding {
	family := n.families[row.Family]
	f := sinew.Finding{
		ID:        v.public(sinew.IDFinding, row.ID),
		Service:   row.Service,
		Unit:      v.public(sinew.IDUnit, row.Unit),
		Class:     row.Class,
		State:     row.State,
		FirstSeen: fromMicros(row.FirstSeen),
		LastSeen:  fromMicros(row.lastSeen(n.places[row.Place].SeenAt)),
		Since:     fromMicros(row.Since),
		Reopened:  int(row.Reopened),
		Owner:     row.Owner,
		Tool:      row.Tool,
		Rule:      row.Rule,
		Title:     row.Title,
		Severity:  sinew.SeverityOfRank(row.Severity),
		CWE:       splitNumbers(row.CWE),
		IDs:       strings.Fields(row.IDs),
		File:      row.File,
		Line:      int(row.Line),
		Image:     row.Image,
		Host:      row.Host,
		Target:    family.Target,
		Resource:  resourceOf(row.Resource),
		Endpoint:  endpointOf(row.Endpoint),
	}
	if row.Unit != sinew.UnassignedUnit {
		f.Application = n.units[row.Unit]
	}
	if f.IDs = append(f.IDs, strings.Fields(row.Also)...); len(f.IDs) == 0 {
		f.IDs = nil
	}
	if row.Lead > 0 {
		f.PartOf = v.public(sinew.IDFinding, row.Lead)
	} else if row.Tools != "" {
		f.Tools = row.tools()
	}
	if row.Package != "" || row.PURL != "" {
		f.Package = &sinew.Package{Name: row.Package, Version: row.Version, PURL: row.PURL}
	}
	return f
}

// lastSeen is the Go form of the SQL expression of that name.
func (r *FindingRow) lastSeen(placeSeenAt int64) int64 {
	if r.LastSeen != 0 {
		return r.LastSeen
	}
	return max(placeSeenAt, r.FirstSeen)
}

func splitNumbers(s string) []int {
	var out []int
	for word := range strings.FieldsSeq(s) {
		if n, err := strconv.Atoi(word); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// ResourceText is the column of a resource: its id, else its name, else its
// type.
func ResourceText(r *sinew.Resource) string {
	if r == nil {
		return ""
	}
	for _, s := range []string{r.ID, r.Name, r.Type} {
		if s != "" {
			return s
		}
	}
	return ""
}

func resourceOf(text string) *sinew.Resource {
	if text == "" {
		return nil
	}
	return &sinew.Resource{ID: text}
}

// EndpointText is the column of an endpoint: method and URL, or the URL alone.
func EndpointText(e *sinew.Endpoint) string {
	if e == nil {
		return ""
	}
	return strings.TrimPrefix(e.Method+" "+e.URL, " ")
}

func endpointOf(text string) *sinew.Endpoint {
	if text == "" {
		return nil
	}
	if method, url, ok := strings.Cut(text, " "); ok && method == strings.ToUpper(method) {
		return &sinew.Endpoint{Method: method, URL: url}
	}
	return &sinew.Endpoint{URL: text}
}
