package target

import (
	"fmt"
	"sort"
	"strings"
)

// driver speaks the API of one type of endpoint. It is safe for concurrent use.
type driver interface {
	// path is where requests go, relative to the base URL.
	path() string
	// body appends the body of a request to dst.
	body(dst []byte, in Input) ([]byte, error)
	// scan reads the data of one event, or with whole a complete reply, into ev.
	// It runs between reads, so it must not allocate where all is well.
	scan(data []byte, whole bool, ev *event) error
}

// drivers makes the driver for an endpoint type.
var drivers = map[string]func(Config) (driver, error){
	"":           newOpenAI,
	"openai":     newOpenAI,
	"vllm":       newOpenAI,
	"sglang":     newOpenAI,
	"tgi":        newOpenAI, // its OpenAI-style route
	"togetherai": newOpenAI,
	"friendliai": newOpenAI,
}

func newDriver(cfg Config) (driver, error) {
	make, ok := drivers[cfg.Endpoint.Type]
	if !ok {
		return nil, fmt.Errorf("endpoint type %q is not supported: choose one of %s", cfg.Endpoint.Type, strings.Join(Types(), ", "))
	}
	return make(cfg)
}

// Types returns the endpoint types that New accepts, sorted.
func Types() []string {
	var names []string
	for name := range drivers {
		if name != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
