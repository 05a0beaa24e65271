//go:build linux

package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// image is what the tests run; it is made of the binary under test.
const image = "stampede:test"

func TestMain(m *testing.M) {
	_ = os.Setenv("CGO_ENABLED", "0") // the image holds nothing but the binary
	code := harness.Main(m)
	docker.end()
	os.Exit(code)
}

// docker is the engine of all tests, started by the first that wants it.
var docker engine

type engine struct {
	once    sync.Once
	problem error
	missing string // why none can be started here
	dir     string
	daemon  *exec.Cmd
	gone    chan struct{}
	log     bytes.Buffer
	compose []string
}

// need starts the engine and builds the image, or skips the test.
func need(t *testing.T) *engine {
	t.Helper()
	docker.once.Do(docker.start)
	if docker.missing != "" {
		t.Skipf("NOT RUN, no Docker engine can be started here: %s", docker.missing)
	}
	if docker.problem != nil {
		t.Fatal(docker.problem)
	}
	return &docker
}

func (e *engine) start() {
	if os.Geteuid() != 0 {
		e.missing = "these tests are not run as root"
		return
	}
	for _, name := range []string{"dockerd", "docker"} {
		if _, err := exec.LookPath(name); err != nil {
			e.missing = name + " is not installed (make docker-engine)"
			return
		}
	}
	if err := e.boot(); err != nil {
		e.cannot(err)
		return
	}
	if e.problem = e.build(); e.problem != nil {
		return
	}
	if _, err := e.try("docker", "run", "--rm", "--network", "none", image, "version"); err != nil {
		e.cannot(fmt.Errorf("no container runs: %w", err))
	}
}

// cannot says that this machine is not one for engines, which some sandboxes are
// not; where one is promised, it is a failure.
func (e *engine) cannot(err error) {
	if os.Getenv("STAMPEDE_REQUIRE_DOCKER") != "" {
		e.problem = err
	} else {
		e.missing = err.Error()
	}
}

// boot starts dockerd. It touches no firewall and no bridge but its own: what
// containers need of each other, a network of compose gives them.
func (e *engine) boot() error {
	var err error
	if e.dir, err = os.MkdirTemp("", "stampede-docker-*"); err != nil {
		return err
	}
	e.daemon = exec.Command("dockerd", "--host", e.host(), "--data-root", filepath.Join(e.dir, "data"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "pid"), "--bridge", "none", "--iptables=false", "--ip-masq=false",
		"--default-address-pool", "base=10.213.0.0/16,size=24",
		"--containerd-namespace", "stampede-test", "--containerd-plugins-namespace", "stampede-test-plugins")
	e.daemon.Stdout, e.daemon.Stderr = &e.log, &e.log
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the tests, which end it
	if err := e.daemon.Start(); err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	e.gone = make(chan struct{})
	go func() {
		_ = e.daemon.Wait()
		close(e.gone)
	}()
	for range 300 {
		if _, err = e.try("docker", "version"); err == nil {
			return e.findCompose()
		}
		select {
		case <-e.gone:
			return fmt.Errorf("dockerd ended:\n%s", tail(e.log.String()))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("dockerd does not answer within 30 s: %w", err)
}

func (e *engine) host() string { return "unix://" + filepath.Join(e.dir, "docker.sock") }

// findCompose takes either generation of compose.
func (e *engine) findCompose() error {
	if _, err := e.try("docker", "compose", "version"); err == nil {
		e.compose = []string{"docker", "compose"}
	} else if _, err := exec.LookPath("docker-compose"); err == nil {
		e.compose = []string{"docker-compose"}
	}
	return nil
}

// build makes the image as make image does, of the binary under test.
func (e *engine) build() error {
	context := filepath.Join(e.dir, "context")
	for _, dir := range []string{"root/etc/ssl/certs", "root/tmp", "owned/data", "owned/results", "owned/secrets/client", "owned/secrets/agent", "owned/secrets/metrics", "linux/any"} {
		if err := os.MkdirAll(filepath.Join(context, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(context, "root/tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	binary, err := os.ReadFile(harness.Binary())
	if err != nil {
		return err
	}
	certificates, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		certificates = nil // nothing here goes over TLS
	}
	err = errors.Join(os.WriteFile(filepath.Join(context, "linux/any/stampede"), binary, 0o755),
		os.WriteFile(filepath.Join(context, "root/etc/ssl/certs/ca-certificates.crt"), certificates, 0o644))
	if err != nil {
		return err
	}
	out, err := e.try("docker", "build", "-q", "-f", root("deploy", "Dockerfile.binary"), "--build-arg", "TARGETARCH=any", "-t", image, context)
	if err != nil {
		return fmt.Errorf("build the image: %w\n%s", err, out)
	}
	return nil
}

// end stops what runs and removes what was kept.
func (e *engine) end() {
	if e.gone != nil {
		_ = e.daemon.Process.Signal(syscall.SIGTERM)
		select {
		case <-e.gone:
		case <-time.After(30 * time.Second):
			_ = e.daemon.Process.Kill()
			<-e.gone
		}
	}
	if e.dir != "" {
		_ = os.RemoveAll(e.dir)
	}
}

// try runs a command that speaks to the engine and returns what it printed.
func (e *engine) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host(), "DOCKER_BUILDKIT=0", "DOCKER_CONFIG="+e.dir,
		"COMPOSE_PROJECT_NAME=test", "STAMPEDE_IMAGE="+image,
		"STAMPEDE_GRPC_PORT=", "STAMPEDE_HTTP_PORT=", "STAMPEDE_LEASE=3s", "STAMPEDE_REJOIN_GRACE=3s")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, tail(out.String()), tail(errs.String()))
	}
	return out.String(), nil
}

// do runs a command that must succeed.
func (e *engine) do(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := e.try(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func root(path ...string) string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return filepath.Join(append([]string{"..", ".."}, path...)...)
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

func tail(s string) string {
	const most = 4000
	return s[max(len(s)-most, 0):]
}
