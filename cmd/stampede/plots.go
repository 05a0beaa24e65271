package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/plot"
)

func addPlotsFlag(f *pflag.FlagSet, plots *bool) {
	f.BoolVar(plots, "plots", false, "draw rs_ID.png (requests by outcome) and tp_ID.png (tokens/s) into --out, after the run")
}

// checkPlots refuses what could not be written after the load.
func checkPlots(plots bool, out string) error {
	if plots && out == "" {
		return usageError(errors.New("--plots writes files, but no folder is given for them"), "add --out results")
	}
	return nil
}

// writePlots draws the report's images into dir, under the run's id and, as the
// latest run, under the test's. It returns the files of the run.
func writePlots(dir string, rep *report.Report) ([]string, error) {
	var files []string
	var errs []error
	for _, p := range []struct {
		name string
		draw func(io.Writer, *report.Report) error
	}{{"rs_%s.png", plot.RequestsPNG}, {"tp_%s.png", plot.ThroughputPNG}} {
		file := filepath.Join(dir, fmt.Sprintf(p.name, rep.ID))
		if err := writeFile(file, func(w *bufio.Writer) error { return p.draw(w, rep) }); err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file)
		if rep.TestID != "" && rep.TestID != rep.ID {
			errs = append(errs, alias(file, filepath.Join(dir, fmt.Sprintf(p.name, rep.TestID))))
		}
	}
	return files, errors.Join(errs...)
}
