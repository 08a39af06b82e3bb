package queryapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/valyala/fasthttp"
)

const (
	typeScript = "text/javascript; charset=utf-8"
	typeText   = "text/plain; charset=utf-8"
	typeJSON   = "application/json"
	typeHTML   = "text/html; charset=utf-8"
	typeCSS    = "text/css; charset=utf-8"
	typeSVG    = "image/svg+xml; charset=utf-8"
)

// asset is a file that is answered as it is, compressed once at start.
type asset struct {
	contentType string
	etag        string // strong, of the plain bytes
	gzipTag     string
	plain, gzip []byte
}

func newAsset(contentType string, plain []byte) (*asset, error) {
	zipped, err := compress(plain)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	tag := hex.EncodeToString(sum[:8])
	return &asset{contentType, `"` + tag + `"`, `"` + tag + `-gz"`, plain, zipped}, nil
}

// integrity is the hash that a <script> may pin (Subresource Integrity).
func (a *asset) integrity() string {
	sum := sha512.Sum384(a.plain)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

// loadAssets reads the files of the widget, the demo and the dashboard, by path.
func loadAssets(files fs.FS) (map[string]*asset, error) {
	assets := map[string]*asset{}
	var errs []error
	load := func(path, file, contentType string) {
		plain, err := fs.ReadFile(files, file)
		if err == nil {
			assets[path], err = newAsset(contentType, plain)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("load %s: %w", path, err))
		}
	}
	for _, f := range demoFiles {
		load(f.path, f.file, f.contentType)
	}
	for _, f := range dashboardFiles {
		load(f.path, f.file, f.contentType)
	}
	for _, f := range scriptFiles {
		load("/"+f.file, f.file, f.contentType)
	}
	versions, err := fs.Glob(files, versionGlob)
	if err != nil {
		errs = append(errs, fmt.Errorf("list versions of the widget: %w", err))
	}
	for _, file := range versions {
		load("/"+file, file, typeScript)
	}
	if len(errs) == 0 {
		assets[manifestPath], err = manifest(assets)
		errs = append(errs, err)
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
