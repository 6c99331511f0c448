// Package examples embeds the demo shop's real scanner reports, so that the
// demo runs from the binary alone. It holds data, and no code that ships reads
// anything else in this folder.
package examples

import "embed"

// Shop holds the reports of the demo shop, and demo.json that says what each
// belongs to and in which order they were made.
//
//go:embed shop/demo.json shop/reports
var Shop embed.FS
