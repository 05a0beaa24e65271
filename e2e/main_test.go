package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

func TestMain(m *testing.M) {
	if err := harness.BuildGrpcurl(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(harness.Main(m))
}
