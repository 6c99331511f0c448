package store

import (
	"context"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
)

// BenchmarkGroups groups as many findings as -rows says. A page reads all of the
// filter's findings once.
func BenchmarkGroups(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			db, w := openTest(b, engine.fresh(b))
			fill(b, db, w, int64(*benchRows))
			for _, by := range Groupings() {
				for _, text := range []string{"is:open", "app:app-3 is:open"} {
					q, err := filter.Parse(text)
					if err != nil {
						b.Fatal(err)
					}
					b.Run(by+"|"+strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
						before := processorTime(b)
						for b.Loop() {
							if _, _, err := db.Groups(context.Background(), System(w.ID), q, by, Page{}); err != nil {
								b.Fatal(err)
							}
						}
						b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
					})
				}
			}
		})
	}
}
