package queryapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/valyala/fasthttp"
)

// assetFiles are the files behind the paths of the widget and the demo.
var assetFiles = []struct{ path, file, contentType string }{
	{"/ddkk-stats.js", "ddkk-stats.js", "text/javascript; charset=utf-8"},
	{"/demo", "demo/index.html", "text/html; charset=utf-8"},
	// Where the demo navigates to without loading; a reload lands here.
	{"/demo/first", "demo/index.html", "text/html; charset=utf-8"},
	{"/demo/second", "demo/index.html", "text/html; charset=utf-8"},
	{"/demo/demo.js", "demo/demo.js", "text/javascript; charset=utf-8"},
	{"/demo/demo.css", "demo/demo.css", "text/css; charset=utf-8"},
}

// asset is a file that is answered as it is, compressed once at start.
type asset struct {
	contentType string
	etag        string // strong, of the plain bytes
	gzipTag     string
	plain, gzip []byte
}

func loadAssets(files fs.FS) (map[string]*asset, error) {
	assets := make(map[string]*asset, len(assetFiles))
	var errs []error
	for _, f := range assetFiles {
		plain, err := fs.ReadFile(files, f.file)
		if err != nil {
			errs = append(errs, fmt.Errorf("load %s: %w", f.path, err))
			continue
		}
		zipped, err := compress(plain)
		if err != nil {
			errs = append(errs, fmt.Errorf("compress %s: %w", f.path, err))
			continue
		}
		sum := sha256.Sum256(plain)
		tag := hex.EncodeToString(sum[:8])
		assets[f.path] = &asset{f.contentType, `"` + tag + `"`, `"` + tag + `-gz"`, plain, zipped}
	}
	return assets, errors.Join(errs...)
}

func compress(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// send answers the asset, or 304 if the client has it.
func (a *asset) send(ctx *fasthttp.RequestCtx) {
	h, body, tag := &ctx.Response.Header, a.plain, a.etag
	if ctx.Request.Header.HasAcceptEncoding("gzip") {
		body, tag = a.gzip, a.gzipTag
	}
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if bytes.Contains(ctx.Request.Header.Peek("If-None-Match"), []byte(tag)) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	if tag == a.gzipTag {
		h.Set("Content-Encoding", "gzip")
	}
	h.SetContentType(a.contentType)
	ctx.Response.SetBodyRaw(body)
}

// widget answers the script, which any page may load and keep for a day.
func (s *Server) widget(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "public, max-age=86400")
	s.files["/ddkk-stats.js"].send(ctx)
	return nil
}

// demoPolicy forbids all that the demo page does not need; nothing inline.
const demoPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// demo answers the demo page and its files.
func (s *Server) demo(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", demoPolicy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	s.files[string(ctx.Path())].send(ctx)
	return nil
}
