package allow

import "net/netip"

// metadata are the addresses at which clouds tell a host its credentials. They
// are never dialled, whatever a spec or a name server says.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // AWS, Azure, GCP, OpenStack, …
	netip.MustParseAddr("169.254.169.253"): true, // AWS, DNS
	netip.MustParseAddr("169.254.170.2"):   true, // AWS, task credentials
	netip.MustParseAddr("169.254.170.23"):  true, // AWS, pod credentials
	netip.MustParseAddr("169.254.0.23"):    true, // Tencent
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba
	netip.MustParseAddr("168.63.129.16"):   true, // Azure, host agent
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle, classic
	netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
	netip.MustParseAddr("fd00:ec2::23"):    true, // AWS, pod credentials
	netip.MustParseAddr("fd20:ce::254"):    true, // GCP
	netip.MustParseAddr("fe80::a9fe:a9fe"): true, // 169.254.169.254 on the link
}

// nat64 carries IPv4 addresses inside IPv6 ones (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// IsMetadata reports whether a is an address at which a cloud tells a host its
// credentials, in any of its guises.
func IsMetadata(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return metadata[a]
}
