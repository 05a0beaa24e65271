package docs

import (
	"fmt"
	"os"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

func TestMain(m *testing.M) {
	if script := os.Getenv(sessionVariable); script != "" {
		fmt.Fprintln(os.Stderr, enter(script)) // returns only when it fails
		os.Exit(1)
	}
	if err := harness.BuildGrpcurl(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(harness.Main(m))
}
