package queryapi

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/valyala/fasthttp"
	"go.yaml.in/yaml/v3"
)

// openapiYAML describes every route and error code (OpenAPI 3.1). The tests of
// all handlers hold their requests and answers against it.
//
//go:embed openapi.yaml
var openapiYAML []byte

const typeYAML = "application/yaml" // RFC 9512

// openapiRoutes serve the document as it is written and as JSON.
func openapiRoutes() ([]route, error) {
	var doc any
	if err := yaml.Unmarshal(openapiYAML, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}
	var rs []route
	for _, f := range []struct {
		path, contentType string
		text              []byte
	}{{"/openapi.yaml", typeYAML, openapiYAML}, {"/openapi.json", typeJSON, text}} {
		a, err := newAsset(f.contentType, f.text)
		if err != nil {
			return nil, err
		}
		rs = append(rs, route{method: fasthttp.MethodGet, path: f.path, head: true, handle: script(a, "no-cache")})
	}
	return rs, nil
}
