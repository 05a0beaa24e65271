package wire

import (
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc/status"
)

var (
	described = regexp.MustCompile(`^connection error: desc = (".*")$`)
	dialled   = regexp.MustCompile(`^dial tcp (\S+): (?:connect: )?`)
	searched  = regexp.MustCompile(`^dial tcp: (?:lookup|address) `)
)

// PlainMessage is what a status says, without the words in which gRPC and package
// net wrap why there is no connection.
func PlainMessage(st *status.Status) string {
	text := st.Message()
	m := described.FindStringSubmatch(text)
	if m != nil {
		inner, err := strconv.Unquote(m[1])
		if err != nil {
			return text
		}
		text = inner
	}
	for _, wrapping := range []string{"transport: ", "Error while dialing: ", "authentication handshake failed: "} {
		text = strings.TrimPrefix(text, wrapping)
	}
	switch {
	case strings.HasPrefix(text, "name resolver error: "):
		return "no address is known by that name"
	case dialled.MatchString(text):
		return dialled.ReplaceAllString(text, "no connection to $1: ")
	case searched.MatchString(text):
		return searched.ReplaceAllString(text, "no connection to ")
	}
	return text
}
