package controller

import (
	"fmt"
	"strings"
)

// fits reports whether an agent's version goes with the controller's: the same
// major and minor number, or one of them is a development build.
func fits(controller, agent string) error {
	if isDev(controller) || isDev(agent) || series(controller) == series(agent) {
		return nil
	}
	return withHint(fmt.Errorf("version %.40q of the agent does not go with version %q of the controller: major and minor number must be the same: %w",
		agent, controller, errRefused), "install the same version of stampede on both hosts")
}

func isDev(v string) bool { return v == "dev" || v == "(devel)" }

// series is "1.4" of "v1.4.2-rc.1".
func series(v string) string {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "-")
	major, rest, _ := strings.Cut(v, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}
