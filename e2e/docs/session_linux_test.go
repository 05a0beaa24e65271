package docs

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sessionVariable holds the script that a session runs; hostsVariable the file
// that takes the place of /etc/hosts in it.
const (
	sessionVariable = "STAMPEDE_DOCS_SESSION"
	hostsVariable   = "STAMPEDE_DOCS_HOSTS"
)

// alone has a command run in a network, with mounts and with processes of its own,
// and all of them in a group. The command is their init: they end with it, and it
// ends with the thread that starts it, also when the tests are killed.
func alone(cmd *exec.Cmd) {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}
	}
	cmd.SysProcAttr = attr
	cmd.Cancel = func() error { return killAll(cmd) }
}

// killAll ends what is left of a session.
func killAll(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// enter makes the new network usable and becomes bash.
func enter(script string) error {
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount(os.Getenv(hostsVariable), "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("/etc/hosts: %w", err)
	}
	// Some containers forbid it; /proc/self is right without it, too.
	_ = unix.Mount("proc", "/proc", "proc", 0, "")
	bash, err := exec.LookPath("bash")
	if err != nil {
		return err
	}
	env := os.Environ()
	for i, v := range env {
		if strings.HasPrefix(v, sessionVariable+"=") {
			env[i] = "STAMPEDE_DOCS_ENTERED=1"
		}
	}
	return syscall.Exec(bash, []string{"bash", "--norc", "--noprofile", script}, env)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
