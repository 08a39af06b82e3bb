// Package widget builds the scripts that sites load from their source.
package widget

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Build is one of the built scripts.
type Build struct {
	// Source and Target are paths from the folder static.
	Source, Target string
	// Full is everything; else it counts and reads, and has no hot lists, no
	// events of clicks, and none of the names of other counters.
	Full bool
	// Module says that it is an ES module.
	Module bool
	// MaxGzip is how large it may become, in bytes compressed.
	MaxGzip int
}

// Builds are all of them.
var Builds = []Build{
	{Source: "src/script.js", Target: "ddkk-stats.js", Full: true, MaxGzip: 3072},
	{Source: "src/script.js", Target: "ddkk-stats.lite.js", MaxGzip: 2048},
	{Source: "src/module.js", Target: "ddkk-stats.mjs", Full: true, Module: true, MaxGzip: 3072},
}

// Make minifies the sources of b in the folder static. The same sources give
// the same bytes, so that the build can be committed and checked.
func (b Build) Make(static string) ([]byte, error) {
	dir, err := filepath.Abs(static)
	if err != nil {
		return nil, fmt.Errorf("find the folder static: %w", err)
	}
	format := api.FormatIIFE
	if b.Module {
		format = api.FormatESModule
	}
	r := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{b.Source},
		Bundle:            true,
		Format:            format,
		Target:            api.ES2020,
		Supported:         map[string]bool{"import-meta": true},
		Define:            map[string]string{"FULL": fmt.Sprint(b.Full), "MODULE": fmt.Sprint(b.Module)},
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetASCII,
		LegalComments:     api.LegalCommentsNone,
	})
	if problems := append(r.Errors, r.Warnings...); len(problems) > 0 {
		text := api.FormatMessages(problems, api.FormatMessagesOptions{})
		return nil, fmt.Errorf("build %s: %s", b.Target, strings.Join(text, ""))
	}
	return r.OutputFiles[0].Contents, nil
}
