package target

import (
	"bufio"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSources has more connections to one address than one source address has ports
// for. It runs itself in a network of its own, in which there are ten.
func TestSources(t *testing.T) {
	const inside = "STAMPEDE_TEST_TEN_PORTS"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSources$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(err.Error(), "operation not permitted") {
				t.Skip("this host grants no network of its own: ", err)
			}
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	loopbackUp(t)
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40009"), 0); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peers := make(chan netip.Addr, 1000)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			peers <- c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
			go func() {
				for r := bufio.NewReader(c); readRequest(r) != nil; {
					say(c, answer())
				}
			}()
		}
	}()
	cl := newClient(t, configFor("http://127.0.0.1:8000/v1"))
	const want = 45
	if n, err := cl.Warm(t.Context(), want); n != want || err != nil {
		t.Fatalf("%d connections, %v; want %d", n, err, want)
	}
	from := map[netip.Addr]int{}
	for range want {
		from[<-peers]++
	}
	if len(from) < 5 {
		t.Errorf("connections came from %v, at most ten from each were to be had", from)
	}
	if _, err := ask(t, cl); err != nil {
		t.Error(err)
	}
	const most = 10 * loopbackSources
	n, err := cl.Warm(t.Context(), most+5)
	if n != most || err == nil || !strings.Contains(err.Error(), "no port left to connect from") {
		t.Errorf("%d connections where there are ports for %d: %v", n, most, err)
	}
}

func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		t.Fatal(err)
	}
}

func TestOtherSources(t *testing.T) {
	addr := func(s string) *net.IPNet {
		p := netip.MustParsePrefix(s)
		return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	}
	all := []net.Addr{addr("10.0.0.5/24"), addr("10.0.0.6/24"), addr("fe80::1/64"), addr("2001:db8::1/64"), addr("169.254.1.1/16")}
	list, has := others(all, netip.MustParseAddr("10.0.0.5"))
	if !has || len(list) != 1 || list[0] != netip.MustParseAddr("10.0.0.6") {
		t.Errorf("%v, %v", list, has)
	}
	if _, has := others(all, netip.MustParseAddr("10.0.0.7")); has {
		t.Error("an address of another interface")
	}
}

func TestLocalLimits(t *testing.T) {
	to := netip.MustParseAddrPort("10.0.0.1:80")
	for errno, want := range map[syscall.Errno]string{
		syscall.EMFILE: "ulimit -n", syscall.ENFILE: "fs.file-max", syscall.EADDRNOTAVAIL: "ip_local_port_range", syscall.ENOBUFS: "no buffer space",
	} {
		if f := connectFault(to, os.NewSyscallError("connect", errno)); f.kind != KindLocal || !strings.Contains(f.message, want) {
			t.Errorf("%v: %+v", errno, f)
		}
	}
}
