// Package static embeds what browsers load: the widget and the demo page.
package static

import "embed"

//go:generate go run ./internal/generate

// Files holds the builds of the widget (from src, by go generate), its frozen
// versions ddkk-stats.vN.js, its types, and demo/.
//
//go:embed ddkk-stats.* demo
var Files embed.FS
