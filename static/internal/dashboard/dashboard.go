// Package dashboard builds the admin's pages from their source.
package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Build is one of the built files.
type Build struct {
	// Source and Target are paths from the folder static.
	Source, Target string
	// MaxGzip is how large it may become, in bytes compressed.
	MaxGzip int
}

// Builds are all of them.
var Builds = []Build{
	{Source: "admin/src/main.js", Target: "admin/dashboard.js", MaxGzip: 64 << 10},
	{Source: "admin/src/public.js", Target: "admin/public.js", MaxGzip: 40 << 10},
	{Source: "admin/src/css/main.css", Target: "admin/dashboard.css", MaxGzip: 8 << 10},
}

// licence is that of uPlot, which is in all builds and wants to be there too.
const licence = "admin/vendor/uplot/LICENSE"

// Make bundles and minifies the sources of b in the folder static. The same
// sources give the same bytes, so that the build can be committed and checked.
func (b Build) Make(static string) ([]byte, error) {
	dir, err := filepath.Abs(static)
	if err != nil {
		return nil, fmt.Errorf("find the folder static: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, licence))
	if err != nil {
		return nil, fmt.Errorf("read the licence of uPlot: %w", err)
	}
	banner := "/*! Contains uPlot 1.6.32 (https://github.com/leeoniya/uPlot):\n" + strings.TrimSpace(string(text)) + "\n*/"
	r := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{b.Source},
		Bundle:            true,
		Format:            api.FormatIIFE,
		Target:            api.ES2020,
		Loader:            map[string]api.Loader{".json": api.LoaderJSON},
		Banner:            map[string]string{"js": banner, "css": banner},
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
	})
	if problems := append(r.Errors, r.Warnings...); len(problems) > 0 {
		text := api.FormatMessages(problems, api.FormatMessagesOptions{})
		return nil, fmt.Errorf("build %s: %s", b.Target, strings.Join(text, ""))
	}
	return r.OutputFiles[0].Contents, nil
}
