//go:build !linux

package agent

import "os"

// punch frees nothing here.
func punch(*os.File, int64, int64) {}
