// Package static embeds what browsers load: the widget and the demo page.
package static

import "embed"

//go:generate go run ./internal/generate

// Files holds ddkk-stats.js (minified from src/ddkk-stats.js by go generate)
// and demo/.
//
//go:embed ddkk-stats.js demo
var Files embed.FS
