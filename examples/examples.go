// Package examples embeds the demo shop's real scanner reports, so that the
// demo runs from the binary alone. It holds data, and no code that ships reads
// anything else in this folder.
package examples

import "embed"

// Shop holds the reports of the demo shop, demo.json that says what each belongs
// to and in which order they were made, and the rules that tell its services.
//
//go:embed shop/demo.json shop/rules.yaml shop/reports
var Shop embed.FS
