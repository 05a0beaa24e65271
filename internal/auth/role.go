package auth

import (
	"net/http"
	"path"
	"strings"
)

// Role is what a token allows, or a call demands.
type Role uint8

// The roles. Run includes Read; Agent includes neither and is included in none.
const (
	Open  Role = iota // demanded of nobody
	Read              // look at tests, runs, reports and agents
	Run               // register, start, cancel and delete, too
	Agent             // open a session as an agent
)

var roleNames = [...]string{"open", "read", "run", "agent"}

// String returns the role as it stands in a token file.
func (r Role) String() string { return roleNames[r] }

// includes reports whether a token of role r may do what demands the other.
func (r Role) includes(demanded Role) bool {
	return demanded == Open || r == demanded || r == Run && demanded == Read
}

// readMethods only look. All other methods of TestService demand Run, so that one
// that is new is not open by mistake.
var readMethods = map[string]bool{
	"GetTest": true, "ListTests": true, "WatchTest": true, "GetReport": true, "StreamSamples": true, "ListAgents": true, "ListDatasets": true,
}

// MethodRole is what a gRPC method, "/package.Service/Method", demands.
func MethodRole(full string) Role {
	service, method, _ := strings.Cut(strings.TrimPrefix(full, "/"), "/")
	switch {
	case service == "grpc.health.v1.Health":
		return Open
	case strings.HasPrefix(service, "grpc.reflection."):
		return Read
	case service == "stampede.v1.AgentService":
		return Agent
	case service == "stampede.v1.TestService" && readMethods[method]:
		return Read
	}
	return Run
}

// openRoutes tell nothing of any test.
var openRoutes = map[string]bool{"/": true, "/healthz": true, "/readyz": true, "/openapi.json": true, "/favicon.ico": true}

// changingGets are routes of the original that change something although they are
// asked for with GET.
var changingGets = []string{
	"/start_test/", "/stop_test/", "/delete_test/", "/delete_all_tests/", "/set_nickname/",
	"/tests/start/", "/tests/stop/", "/tests/delete/", "/tests/delete_all", "/tests/set_nickname/",
}

// RequestRole is what an HTTP request demands. Looking demands Read, everything
// else Run. A preflight of CORS is open: browsers send it without a token.
func RequestRole(r *http.Request) Role {
	clean := path.Clean("/" + r.URL.Path)
	switch r.Method {
	case http.MethodOptions:
		return Open
	case http.MethodGet, http.MethodHead:
	default:
		return Run
	}
	if openRoutes[clean] || strings.HasPrefix(clean, "/assets/") {
		return Open
	}
	for _, prefix := range changingGets {
		if strings.HasPrefix(clean+"/", prefix) {
			return Run
		}
	}
	return Read
}
