package queryapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/valyala/fasthttp"
)

// document is openapi.yaml, ready to hold requests and answers against. It is
// stricter than what clients are promised: fields that the document does not
// know are an error here, so that none goes out undocumented.
type document struct {
	doc   *openapi3.T
	paths map[*regexp.Regexp]string // how a request's path looks -> as in the document
	codes map[string]int            // error code -> status
}

var theDocument = sync.OnceValues(loadDocument)

func loadDocument() (*document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapiYAML)
	if err != nil {
		return nil, err
	}
	d := &document{doc: doc, paths: map[*regexp.Regexp]string{}, codes: map[string]int{}}
	for path, item := range doc.Paths.Map() {
		parts := regexp.MustCompile(`\{[a-z]+\}`).Split(path, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		d.paths[regexp.MustCompile("^"+strings.Join(parts, "[^/]+")+"$")] = path
		for _, op := range item.Operations() {
			for _, r := range op.Responses.Map() {
				for _, m := range r.Value.Content {
					closeObjects(m.Schema, map[*openapi3.Schema]bool{})
				}
			}
		}
	}
	codes, ok := doc.Extensions["x-error-codes"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("x-error-codes is %T", doc.Extensions["x-error-codes"])
	}
	for code, about := range codes {
		status, err := strconv.Atoi(fmt.Sprint(about.(map[string]any)["status"]))
		if err != nil {
			return nil, fmt.Errorf("x-error-codes: %s: %w", code, err)
		}
		d.codes[code] = status
	}
	return d, nil
}

// closeObjects forbids fields that a schema does not name.
func closeObjects(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		closeObjects(p, seen)
	}
	closeObjects(s.Items, seen)
	closeObjects(s.AdditionalProperties.Schema, seen)
}

// operation is what the document has of a request, nil for what it has not.
func (d *document) operation(method, path string) *openapi3.Operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for like, name := range d.paths {
		if like.MatchString(path) {
			return d.doc.Paths.Value(name).GetOperation(method)
		}
	}
	return nil
}

// check holds one exchange against the document: a request that was answered,
// and the answer.
func (d *document) check(ctx *fasthttp.RequestCtx) error {
	method, status := string(ctx.Method()), ctx.Response.StatusCode()
	if op := d.operation(method, string(ctx.Path())); op != nil && status < 400 {
		if err := checkRequest(op, ctx); err != nil {
			return fmt.Errorf("a request that was answered is not as openapi.yaml says: %w", err)
		}
	}
	return d.checkAnswer(ctx)
}

// checkAnswer holds an answer against the document.
func (d *document) checkAnswer(ctx *fasthttp.RequestCtx) error {
	method, path, status := string(ctx.Method()), string(ctx.Path()), ctx.Response.StatusCode()
	if status >= 400 {
		if err := d.checkError(ctx.Response.Body(), status); err != nil {
			return err
		}
	}
	if method == http.MethodOptions || status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		return nil // said once for all paths
	}
	op := d.operation(method, path)
	if op == nil {
		return fmt.Errorf("openapi.yaml has no %s %s", method, path)
	}
	answer := op.Responses.Status(status)
	if answer == nil && status >= 400 {
		answer = op.Responses.Default()
	}
	if answer == nil {
		return fmt.Errorf("openapi.yaml has no status %d of %s %s", status, method, path)
	}
	if method == http.MethodHead || len(answer.Value.Content) == 0 {
		return nil
	}
	return checkContent(answer.Value.Content, string(ctx.Response.Header.ContentType()), ctx.Response.Body())
}

// checkError wants a known code with the status that belongs to it.
func (d *document) checkError(body []byte, status int) error {
	var answer struct{ Error struct{ Code string } }
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("an error is not JSON: %w: %s", err, body)
	}
	if want, ok := d.codes[answer.Error.Code]; !ok || want != status {
		return fmt.Errorf("error %q came with status %d; x-error-codes of openapi.yaml has %d", answer.Error.Code, status, want)
	}
	return nil
}

func checkContent(content openapi3.Content, contentType string, body []byte) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	media := content[kind]
	if media == nil {
		return fmt.Errorf("openapi.yaml has no content type %s", kind)
	}
	if kind != typeJSON {
		return nil
	}
	return visit(media.Schema, body)
}

func visit(schema *openapi3.SchemaRef, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020())
}

// checkRequest wants nothing but documented parameters and fields. Drop-in
// protocols may carry more.
func checkRequest(op *openapi3.Operation, ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	known := map[string]bool{}
	for _, p := range op.Parameters {
		if p.Value.In != openapi3.ParameterInQuery {
			continue
		}
		known[p.Value.Name] = true
		if !args.Has(p.Value.Name) {
			if p.Value.Required {
				return fmt.Errorf("parameter %s is missing", p.Value.Name)
			}
			continue
		}
		if err := checkParameter(p.Value, string(args.Peek(p.Value.Name))); err != nil {
			return err
		}
	}
	if !slices.Contains(op.Tags, "drop-in") {
		for name := range args.All() {
			if !known[string(name)] {
				return fmt.Errorf("parameter %s is not known", name)
			}
		}
	}
	if op.RequestBody == nil {
		return nil
	}
	return visit(op.RequestBody.Value.Content[typeJSON].Schema, ctx.Request.Body())
}

func checkParameter(p *openapi3.Parameter, text string) error {
	var v any = text
	if p.Schema.Value.Type.Is(openapi3.TypeInteger) {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		v = n
	}
	if err := p.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		return fmt.Errorf("parameter %s: %w", p.Name, err)
	}
	return nil
}

func mustDocument(t testing.TB) *document {
	t.Helper()
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIIsValid(t *testing.T) {
	d := mustDocument(t)
	if err := d.doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if d.doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", d.doc.OpenAPI)
	}
}

// fullConfig has all that New takes; an endpoint that depends on a field of
// Config must be among its routes.
func fullConfig(t testing.TB) func(*Config) {
	return func(c *Config) {
		c.Series, c.Ranking, c.Restorer, c.Calls, c.Requests = &past{}, &fakeRanking{}, &rebuilder{}, &callFigures{}, &requestFigures{}
		c.Explorer, c.Facts, c.Views, c.Verifier, c.Baselines, c.Voider = &explorer{}, &figures{}, &figures{}, &figures{}, &figures{}, &voider{num: 1}
		c.PublicSites, c.People = []string{"ddkk.com"}, newSomeone()
		c.Report = func(context.Context) Report { return Report{} }
		c.EventKey = func(levels ...string) string { return strings.Join(levels, ".") }
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if _, err := io.WriteString(w, "up 1\n"); err != nil {
				t.Error(err)
			}
		})
		v := reflect.ValueOf(*c)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Interface && f.IsNil() {
				t.Errorf("fullConfig lacks %s: are its endpoints in openapi.yaml?", v.Type().Field(i).Name)
			}
		}
	}
}

// Every route is in the document, and everything in the document is a route.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	d := mustDocument(t)
	s := newTestServer(t, newBackend(), fullConfig(t))
	met := map[*openapi3.Operation]bool{}
	for path, at := range s.table {
		for _, r := range at.routes {
			op := d.operation(r.method, path)
			if op == nil {
				t.Errorf("openapi.yaml has no %s %s", r.method, path)
				continue
			}
			met[op] = true
			if admin := op.Security != nil && len(*op.Security) > 0; admin != r.admin {
				t.Errorf("%s %s: security in openapi.yaml: %v, admin route: %v", r.method, path, admin, r.admin)
			}
		}
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !met[op] {
				t.Errorf("openapi.yaml has %s %s, which is no route", method, path)
			}
		}
	}
}

// The codes of errors.go are those of the document.
func TestOpenAPIHasEveryErrorCode(t *testing.T) {
	d := mustDocument(t)
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var inCode, inEnum, inTable []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		inCode = append(inCode, code)
		return true
	})
	for _, v := range d.doc.Components.Schemas["ErrorCode"].Value.Enum {
		inEnum = append(inEnum, fmt.Sprint(v))
	}
	for code := range d.codes {
		inTable = append(inTable, code)
	}
	for _, list := range [][]string{inCode, inEnum, inTable} {
		slices.Sort(list)
	}
	if len(inCode) == 0 || !slices.Equal(inCode, inEnum) || !slices.Equal(inCode, inTable) {
		t.Errorf("errors.go:              %q\nErrorCode of the document: %q\nx-error-codes:           %q", inCode, inEnum, inTable)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	yaml := ask(s, testPeer, "GET", "/openapi.yaml", "")
	if !bytes.Equal(yaml.Response.Body(), openapiYAML) || header(yaml, "Content-Type") != "application/yaml" {
		t.Errorf("%s", yaml.Response.Header.String())
	}
	doc, err := openapi3.NewLoader().LoadFromData(ask(s, testPeer, "GET", "/openapi.json", "").Response.Body())
	if err != nil {
		t.Fatal(err)
	}
	if doc.Paths.Len() != mustDocument(t).doc.Paths.Len() {
		t.Errorf("%d paths as JSON", doc.Paths.Len())
	}
	if got := header(ask(s, testPeer, "GET", "/openapi.json", ""), "Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("allowed origin %q", got)
	}
}

// The check itself finds what is not documented.
func TestOpenAPICheckFindsDifferences(t *testing.T) {
	d := mustDocument(t)
	s := newTestServer(t, newBackend(), nil)
	f := func(change func(*fasthttp.RequestCtx), want string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","fields":["site_pv"]}`)
		change(ctx)
		if err := d.check(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	body := func(text string) func(*fasthttp.RequestCtx) {
		return func(ctx *fasthttp.RequestCtx) { ctx.Response.SetBodyString(text) }
	}
	f(body(`{"site":"ddkk.com","site_pv":1,"new":2}`), "new")
	f(body(`{"site":"ddkk.com","site_pv":"1"}`), "site_pv")
	f(body(`{"site_pv":1}`), "site")
	f(func(ctx *fasthttp.RequestCtx) { ctx.Response.SetStatusCode(202) }, "status 202")
	f(func(ctx *fasthttp.RequestCtx) { ctx.Response.Header.SetContentType("text/html") }, "text/html")
	f(func(ctx *fasthttp.RequestCtx) { ctx.Request.SetBodyString(`{"site":"ddkk.com","odd":1}`) }, "odd")
	f(func(ctx *fasthttp.RequestCtx) { ctx.Request.SetRequestURI("/api/stats?odd=1") }, "odd")
	f(func(ctx *fasthttp.RequestCtx) { ctx.Request.SetRequestURI("/api/secret") }, "no POST /api/secret")
	f(func(ctx *fasthttp.RequestCtx) {
		ctx.Response.SetStatusCode(400)
		ctx.Response.SetBodyString(`{"error":{"code":"odd","message":""}}`)
	}, "odd")
}
