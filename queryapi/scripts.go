package queryapi

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/valyala/fasthttp"
)

// scriptFiles are the builds of the widget, each under its own name.
var scriptFiles = []struct{ file, contentType string }{
	{"ddkk-stats.js", typeScript},
	{"ddkk-stats.lite.js", typeScript},
	{"ddkk-stats.mjs", typeScript},
	{"ddkk-stats.d.mts", typeText},
}

// scriptPaths are where users of other counters have their script: they change
// the host and nothing else. All of them are ddkk-stats.js.
var scriptPaths = []string{
	"/busuanzi.pure.mini.js", "/busuanzi/2.3/busuanzi.pure.mini.js", // busuanzi 2.3, Fluid
	"/busuanzi/3.6.9/busuanzi.min.js",               // busuanzi.cc
	"/bsz.js",                                       // Volantis
	"/js", "/js/lite", "/js/lite_pjax", "/js/jsonp", // soxft/busuanzi, Vercount
	"/count.js", // whyneh
}

const (
	// versionGlob finds the frozen versions, which never change.
	versionGlob = "ddkk-stats.v*.js"
	// manifestPath tells the hashes that pages may pin.
	manifestPath = "/ddkk-stats.json"

	cacheDay     = "public, max-age=86400"
	cacheForever = "public, max-age=31536000, immutable"
)

func scriptRoutes(files map[string]*asset, quiet func() []string) []route {
	var rs []route
	full := newQuietScript(files["/ddkk-stats.js"], quiet)
	for p, a := range files {
		if !strings.HasPrefix(p, "/ddkk-stats.") {
			continue
		}
		cache := cacheDay
		if frozen(p) {
			cache = cacheForever
		} else if p == manifestPath {
			cache = "no-cache"
		}
		handle := script(a, cache)
		switch p {
		case "/ddkk-stats.js":
			handle = full.answer
		case "/ddkk-stats.lite.js":
			handle = newQuietScript(a, quiet).answer
		}
		rs = append(rs, route{method: "GET", path: p, head: true, handle: handle})
	}
	for _, p := range scriptPaths {
		rs = append(rs, route{method: "GET", path: p, head: true, handle: full.answer})
	}
	return rs
}

func frozen(name string) bool {
	ok, err := path.Match("/"+versionGlob, name)
	return ok && err == nil
}

// script answers a file that any page may load, also one with COEP, and check
// by its hash.
func script(a *asset, cache string) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		h := &ctx.Response.Header
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", cache)
		a.send(ctx)
		return nil
	}
}

// manifest lists the scripts with their hashes and sizes.
func manifest(assets map[string]*asset) (*asset, error) {
	type entry struct {
		Integrity string `json:"integrity"`
		Bytes     int    `json:"bytes"`
		Gzip      int    `json:"gzip"`
		Immutable bool   `json:"immutable"`
	}
	files := map[string]entry{}
	for p, a := range assets {
		if a.contentType == typeScript && strings.HasPrefix(p, "/ddkk-stats.") {
			files[p] = entry{a.integrity(), len(a.plain), len(a.gzip), frozen(p)}
		}
	}
	text, err := json.MarshalIndent(map[string]any{"files": files}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	return newAsset(typeJSON, append(text, '\n'))
}
