package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
)

// Config configures a Controller. The zero value of a field is its default.
type Config struct {
	// DataDir is the folder for uploaded data, segments and reports; required. It
	// is created when it is not there.
	DataDir string
	// KeyFile holds the key that secrets in the data folder are sealed with; it is
	// made, with mode 0600, when there is none. Default: DataDir with ".key" behind
	// it, so that a copy of the folder does not hold it.
	KeyFile string
	// Volatile keeps nothing over a restart: for a controller that ends with the
	// process that asks it.
	Volatile bool
	// NoRows leaves out the files requests_ID of each run, for a caller that
	// streams the samples and writes its own.
	NoRows bool
	// Retention bounds what is kept of tests that have ended. Default: all is kept.
	Retention Retention
	// DatasetDir is the folder under which dataset.path of a spec may name files.
	// Default: none, so that callers upload their data.
	DatasetDir string
	// AllowEnv names the environment variables that api_key_env of a spec may
	// name. Default: none, so that callers resolve their own.
	AllowEnv []string
	// LookupEnv finds them. Default os.LookupEnv.
	LookupEnv func(string) (string, bool)
	// Lease is how long an agent lives without a heartbeat. Default 10 s; longer
	// bears longer cuts, shorter loses fewer requests when an agent dies.
	Lease time.Duration
	// Heartbeat is how often agents report. Default 1 s; at most a third of Lease.
	Heartbeat time.Duration
	// RejoinGrace is how long a run waits for agents that were lost after the last
	// live one is done. Default 15 s.
	RejoinGrace time.Duration
	// PrepareTimeout bounds how long agents may take to get ready for a run.
	// Default 5 min.
	PrepareTimeout time.Duration
	// MaxUpload bounds one uploaded file, in bytes. Default 8 GiB.
	MaxUpload int64
	// Logger receives diagnostics. Default: none.
	Logger *slog.Logger
	// Version is told to agents and stamped into reports. Default "dev".
	Version string

	checkpointBytes  int64 // for tests: other than the constants of that name
	checkpointPeriod time.Duration
	lostRows         int64
	neverSentRows    int64
	hashTrial        time.Duration
	hashHurry        time.Duration
	onDisk           func(*journal.Segment) appended
}

func (cfg *Config) complete() error {
	if cfg.DataDir == "" {
		return errors.New("controller: DataDir: must name a folder, got none")
	}
	if r := cfg.Retention; r.Tests < 0 || r.Age < 0 || r.Bytes < 0 {
		return fmt.Errorf("controller: Retention: must not be negative, got %+v", r)
	}
	setDefault(&cfg.KeyFile, filepath.Clean(cfg.DataDir)+".key")
	setDefault(&cfg.Lease, 10*time.Second)
	setDefault(&cfg.Heartbeat, min(time.Second, cfg.Lease/3))
	setDefault(&cfg.RejoinGrace, 15*time.Second)
	setDefault(&cfg.PrepareTimeout, 5*time.Minute)
	setDefault(&cfg.MaxUpload, 8<<30)
	setDefault(&cfg.Version, "dev")
	setDefault(&cfg.checkpointBytes, checkpointBytes)
	setDefault(&cfg.checkpointPeriod, checkpointPeriod)
	setDefault(&cfg.lostRows, maxLostRows)
	setDefault(&cfg.neverSentRows, maxNeverSentRows)
	setDefault(&cfg.hashTrial, hashTrial)
	setDefault(&cfg.hashHurry, hashHurry)
	if cfg.onDisk == nil {
		cfg.onDisk = func(s *journal.Segment) appended { return s }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"Lease", cfg.Lease}, {"Heartbeat", cfg.Heartbeat}, {"RejoinGrace", cfg.RejoinGrace}, {"PrepareTimeout", cfg.PrepareTimeout},
	} {
		if f.d < 0 {
			return fmt.Errorf("controller: %s: must not be negative, got %v", f.name, f.d)
		}
	}
	if cfg.Heartbeat > cfg.Lease/3 {
		return fmt.Errorf("controller: Heartbeat: must be at most a third of Lease (%v), got %v", cfg.Lease, cfg.Heartbeat)
	}
	return nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
