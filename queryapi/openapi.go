package queryapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

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
func openapiRoutes() []route {
	return []route{
		{method: fasthttp.MethodGet, path: "/openapi.yaml", head: true, handle: lazily(typeYAML, func() ([]byte, error) { return openapiYAML, nil })},
		{method: fasthttp.MethodGet, path: "/openapi.json", head: true, handle: lazily(typeJSON, openapiJSON)},
	}
}

// lazily answers a text that is made when it is first asked for: few ask, and
// no start should wait for it.
func lazily(contentType string, text func() ([]byte, error)) func(*fasthttp.RequestCtx) error {
	made := sync.OnceValues(func() (*asset, error) {
		b, err := text()
		if err != nil {
			return nil, err
		}
		return newAsset(contentType, b)
	})
	return func(ctx *fasthttp.RequestCtx) error {
		a, err := made()
		if err != nil {
			return err
		}
		return script(a, "no-cache")(ctx)
	}
}

func openapiJSON() ([]byte, error) {
	var doc any
	if err := yaml.Unmarshal(openapiYAML, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}
	return text, nil
}
