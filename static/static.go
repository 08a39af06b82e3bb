// Package static embeds what browsers load: the widget, the demo page and the
// dashboard.
package static

import "embed"

//go:generate go run ./internal/generate

// Files holds the builds of the widget (from src, by go generate), its frozen
// versions ddkk-stats.vN.js, its types, demo/, and the builds and pages of
// admin/.
//
//go:embed ddkk-stats.* demo
//go:embed admin/*.html admin/*.js admin/*.css admin/*.svg
var Files embed.FS
