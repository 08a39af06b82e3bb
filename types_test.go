package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// mostMethods is how many methods a type may have: beyond, nobody can tell what it is
// for.
const mostMethods = 40

// large are the types that have more, with what they may have.
var large = map[string]int{
	"archive.recounter":       48,
	"counter/keys.Keys":       65, // a name for each key
	"internal/daemon.server":  50,
	"internal/doctor.Checkup": 55, // a list of checks
	"parser.Parser":           48,
}

// TestTypesStaySmall counts the methods of each type of the program.
func TestTypesStaySmall(t *testing.T) {
	methods := map[string]int{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				recv := f.Recv.List[0].Type
				if star, ok := recv.(*ast.StarExpr); ok {
					recv = star.X
				}
				if index, ok := recv.(*ast.IndexExpr); ok {
					recv = index.X
				}
				if name, ok := recv.(*ast.Ident); ok {
					methods[filepath.ToSlash(filepath.Dir(path))+"."+name.Name]++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range methods {
		if limit := max(mostMethods, large[name]); n > limit {
			t.Errorf("%s has %d methods, %d at most: take it apart by subject", name, n, limit)
		}
	}
	for name := range large {
		if methods[name] <= mostMethods {
			t.Errorf("%s has %d methods by now: take it off the list", name, methods[name])
		}
	}
}
