package target

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tenPorts runs the calling test in a network of its own, whose processes have ten
// ports to connect from, and reports whether this is there.
func tenPorts(t *testing.T) bool {
	t.Helper()
	const inside = "STAMPEDE_TEST_TEN_PORTS"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
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
		return false
	}
	loopbackUp(t)
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40009"), 0); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestSources has more connections to one address than one source address has ports
// for.
func TestSources(t *testing.T) {
	if !tenPorts(t) {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peers, last := make(chan netip.Addr, 1000), make(chan net.Conn, 1)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			peers <- c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
			select {
			case <-last:
			default:
			}
			last <- c
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
	// A port that is given back is found again.
	opened := cl.Stats().Opened
	(<-last).Close()
	for end := time.Now().Add(10 * time.Second); cl.Stats().Opened == opened && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if n, err = cl.Warm(t.Context(), most); err != nil {
			t.Fatal(err)
		}
	}
	if got := cl.Stats().Opened - opened; got != 1 || n != most {
		t.Errorf("%d connections were opened in place of the one that was closed, and there are %d; want 1 and %d", got, n, most)
	}
}

// TestPortsOfBothKinds has many connections on, for which the kernel looks at all
// ports alike: of five that follow each other some are odd.
func TestPortsOfBothKinds(t *testing.T) {
	var name unix.Utsname
	var major, minor int
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	if n, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); n < 2 {
		t.Fatal(err)
	}
	if major < 6 || major == 6 && minor < 8 {
		t.Skip("kernels before 6.8 look at the even ports first")
	}
	if !tenPorts(t) {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	odd := 0
	for range 4 { // of ten ports, five that are taken at random are of one kind once in a hundred times
		if odd = oddOfFive(t, l); odd > 0 && odd < 5 {
			return
		}
	}
	t.Errorf("%d of 5 ports are odd; want some of each kind", odd)
}

func oddOfFive(t *testing.T, l net.Listener) (odd int) {
	cl, err := New(configFor("http://127.0.0.1:8000/v1"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cl.open.Add(manyOpen)
	if n, err := cl.Warm(t.Context(), 5); n != 5 || err != nil {
		t.Fatalf("%d connections, %v; want 5", n, err)
	}
	for range 5 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { // no port lies in TIME_WAIT
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}()
		odd += c.RemoteAddr().(*net.TCPAddr).Port % 2
	}
	return odd
}

// TestSpentSource has the kernel look for a port once in a while only, where it found
// none.
func TestSpentSource(t *testing.T) {
	s := &source{}
	for range 2 {
		if !s.try(1) {
			t.Fatal("a source of which nothing is known is passed over")
		}
	}
	s.spent.Store(1000 + spentFor)
	for _, c := range []struct {
		at   int64
		want bool
	}{{1000, false}, {999 + spentFor, false}, {1000 + spentFor, true}, {1000 + spentFor, false}, {1001 + spentFor, false}, {1000 + 2*spentFor, true}} {
		if got := s.try(c.at); got != c.want {
			t.Errorf("spent at 1000, tried at %d: %v", c.at, got)
		}
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
