package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// dialling are the ways of net and net/http to connect that check no address,
// and the field that a composite literal needs to do so, if it may stand at all.
var dialling = map[string]string{
	"net.Dial": "", "net.DialTimeout": "", "net.DialTCP": "", "net.DialUDP": "",
	"http.Get": "", "http.Head": "", "http.Post": "", "http.PostForm": "", "http.DefaultClient": "", "http.DefaultTransport": "",
	"net.Dialer": "Control", "http.Client": "Transport", "http.Transport": "DialContext",
}

// dialsFreely are the packages that connect to what their own operator names, or
// check addresses themselves. What stands here runs neither in a controller nor
// in an agent on behalf of a spec, but for target.
var dialsFreely = map[string]string{
	"target":          "checks each address before it dials, see its addrs",
	"internal/allow":  "is the check",
	"internal/doctor": "sends a packet to itself; endpoints it asks by package allow",
	"cmd/stampede":    "asks the operator's own processes",
	"client":          "connects to the controller that its user names",
	"simulate":        "is a server",
	"bench":           "runs on loopback",
	"e2e/harness":     "runs on loopback",
}

// Whatever runs for a spec in a controller or an agent checks the addresses it
// dials, after it has resolved them: by internal/allow.
func TestDialsAreChecked(t *testing.T) {
	fset := token.NewFileSet()
	walkGo(t, "../..", func(pkg, path string) {
		if _, free := dialsFreely[pkg]; free || strings.HasPrefix(pkg, "e2e") {
			return
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		checked := map[ast.Expr]bool{} // types of literals with the field
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				checked[n.Type] = hasField(n, dialling[selected(n.Type)])
			case *ast.SelectorExpr:
				if _, dials := dialling[selected(n)]; dials && !checked[n] {
					t.Errorf("%s: %s connects to an address that nobody has checked; use internal/allow's DialContext", fset.Position(n.Pos()), selected(n))
				}
			}
			return true
		})
	})
}

// selected is package.Name, or nothing.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if pkg, ok := s.X.(*ast.Ident); ok {
			return pkg.Name + "." + s.Sel.Name
		}
	}
	return ""
}

func hasField(l *ast.CompositeLit, name string) bool {
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && name != "" && key.Name == name {
				return true
			}
		}
	}
	return false
}

// serving are the files of the command that run servers and agents. All others
// reach a controller through package client alone.
var serving = map[string]bool{
	"agent.go": true, "controller.go": true, "protect.go": true,
	"health.go": true, // asks any server by the health protocol
}

func TestClientCommandsUseTheSDKAlone(t *testing.T) {
	fset := token.NewFileSet()
	seen := 0
	walkGo(t, "../..", func(pkg, path string) {
		name := path[strings.LastIndex(path, "/")+1:]
		if pkg != "cmd/stampede" || serving[name] {
			return
		}
		seen++
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			p := strings.Trim(imp.Path.Value, `"`)
			if strings.HasPrefix(p, "google.golang.org/grpc") || strings.HasPrefix(p, module+"/proto") || p == module+"/internal/wire" {
				t.Errorf("%s imports %s: commands reach a controller through package client", path, p)
			}
		}
	})
	if seen < 10 {
		t.Errorf("%d files of commands were seen", seen)
	}
}
