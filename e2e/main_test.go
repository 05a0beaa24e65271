package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

func TestMain(m *testing.M) {
	if err := buildGrpcurl(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(harness.Main(m))
}

// grpcurlBinary knows no .proto of ours.
var grpcurlBinary = filepath.Join("..", ".tmp", "bin", "grpcurl")

// buildGrpcurl makes the pinned tool where make would, unless it is there.
func buildGrpcurl() error {
	if _, err := os.Stat(grpcurlBinary); err == nil {
		return nil
	}
	build := exec.Command("go", "build", "-C", filepath.Join("..", "tools"), "-o", filepath.Join("..", ".tmp", "bin")+"/", "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build grpcurl: %w\n%s", err, out)
	}
	return nil
}
