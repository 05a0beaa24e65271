package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// Nothing of the wire shows: no exported function, method or field of the package
// has a type of protobuf or gRPC.
func TestNothingOfTheWireShows(t *testing.T) {
	fset := token.NewFileSet()
	packages, err := parser.ParseDir(fset, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, parser.ParseComments) //nolint:staticcheck // types are not needed
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range packages["client"].Files {
		ast.FileExports(file)
		for _, d := range file.Decls {
			seen++
			if f, ok := d.(*ast.FuncDecl); ok {
				f.Body = nil
				if f.Doc == nil {
					t.Errorf("%s: %s has no comment", fset.Position(f.Pos()), f.Name)
				}
			}
			ast.Inspect(d, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && (x.Name == "stampedev1" || x.Name == "grpc" || x.Name == "status" || x.Name == "wire") {
					t.Errorf("%s: %s.%s shows", fset.Position(s.Pos()), x.Name, s.Sel.Name)
				}
				return true
			})
		}
	}
	if seen < 30 {
		t.Errorf("%d exported declarations were seen", seen)
	}
}
