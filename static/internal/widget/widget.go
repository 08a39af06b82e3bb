// Package widget builds the script that sites load from its source.
package widget

import (
	"fmt"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Source and Target are the files of the build, from the folder static.
const (
	Source = "src/ddkk-stats.js"
	Target = "ddkk-stats.js"
)

// Minify makes the served script from its source. The same source gives the
// same bytes, so that the build can be committed and checked.
func Minify(source []byte) ([]byte, error) {
	r := api.Transform(string(source), api.TransformOptions{
		Loader:            api.LoaderJS,
		Target:            api.ES2017,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetASCII,
		LegalComments:     api.LegalCommentsNone,
		Sourcefile:        Source,
	})
	if len(r.Errors)+len(r.Warnings) > 0 {
		text := api.FormatMessages(append(r.Errors, r.Warnings...), api.FormatMessagesOptions{})
		return nil, fmt.Errorf("minify %s: %s", Source, strings.Join(text, ""))
	}
	return r.Code, nil
}
