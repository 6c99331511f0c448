// Package formats holds the mapping files of the built-in report formats, one
// file each, and nothing else. Package format reads them; docs/adding-a-format.md
// tells how to write one.
package formats

import "embed"

// Files are the mapping files.
//
//go:embed *.yaml
var Files embed.FS
