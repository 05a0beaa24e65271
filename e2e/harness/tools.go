package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Root is the module's folder, found from that of the test.
func Root() string {
	dir, err := filepath.Abs(".")
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		break
	}
	return "."
}

// Grpcurl is the path of grpcurl, which knows no .proto of ours.
func Grpcurl() string { return filepath.Join(Root(), ".tmp", "bin", "grpcurl") }

// BuildGrpcurl makes the pinned tool where make would, unless it is there.
func BuildGrpcurl() error {
	if _, err := os.Stat(Grpcurl()); err == nil {
		return nil
	}
	build := exec.Command("go", "build", "-C", filepath.Join(Root(), "tools"), "-o", filepath.Dir(Grpcurl())+"/", "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build grpcurl: %w\n%s", err, out)
	}
	return nil
}
