package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"go.yaml.in/yaml/v3"
)

const apiManual = "docs/API.md"

// The manual's table of error codes is the document's.
func TestErrorCodesOfTheManual(t *testing.T) {
	var doc struct {
		Codes map[string]struct{ Status int } `yaml:"x-error-codes"`
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, "queryapi/openapi.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([0-9]+) \\|").FindAllStringSubmatch(readDoc(t, apiManual), -1) {
		rows[m[1]] = m[2]
	}
	for code, c := range doc.Codes {
		if rows[code] != strconv.Itoa(c.Status) {
			t.Errorf("%s: code %s has status %q, openapi.yaml %d", apiManual, code, rows[code], c.Status)
		}
	}
	if len(rows) != len(doc.Codes) {
		t.Errorf("%s has %d codes, openapi.yaml %d", apiManual, len(rows), len(doc.Codes))
	}
}

// Every path that the manual asks for is in the document. That its examples
// work is seen by TestHarnessAPIExamples of e2e.
func TestPathsOfTheManual(t *testing.T) {
	var doc struct{ Paths map[string]any }
	if err := yaml.Unmarshal([]byte(readDoc(t, "queryapi/openapi.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?:127\.0\.0\.1:8360|count\.ddkk\.com)(/[a-z./_-]*)`).FindAllStringSubmatch(readDoc(t, apiManual), -1) {
		if _, ok := doc.Paths[m[1]]; !ok {
			t.Errorf("%s asks for %s, which openapi.yaml does not have", apiManual, m[1])
		}
	}
}

// Every JavaScript example is JavaScript.
func TestScriptsOfTheDocuments(t *testing.T) {
	for _, file := range docFiles(t) {
		for _, m := range fence.FindAllStringSubmatch(readDoc(t, file), -1) {
			if !slices.Contains([]string{"js", "javascript"}, m[1]) {
				continue
			}
			if r := api.Transform(m[2], api.TransformOptions{Loader: api.LoaderJS}); len(r.Errors) > 0 {
				t.Errorf("%s: %s in\n%s", file, r.Errors[0].Text, strings.TrimSpace(m[2]))
			}
		}
	}
}
