package controller

import (
	"fmt"
	"math"
	"os"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// tokens loads the tokenizer of the effective spec; it is nil for none. The
// endpoint's own is asked by the probe.
func (r *run) tokens() (dataset.Tokens, error) {
	d := &r.eff.Dataset
	if d.Tokenizer == "" || d.Tokenizer == workload.TokenizerServer {
		return nil, nil
	}
	var missing error
	t, err := tokenizer.Shared(d.Tokenizer, d.TokenizerHash, func(hash string) ([]byte, error) {
		path, err := r.c.files.corpus(hash)
		if err != nil {
			return nil, err
		}
		var data []byte
		data, missing = os.ReadFile(path)
		return data, missing
	})
	if err != nil && missing == nil {
		return nil, workload.Errors{{Path: "dataset.tokenizer", Message: err.Error()}}
	}
	return t, err
}

// seeksTokenizer reports whether a tokenizer is to be found in this host's dataset
// folder.
func seeksTokenizer(d workload.Dataset) bool {
	return d.Tokenizer != "" && d.TokenizerHash == "" && d.Tokenizer != workload.TokenizerServer && !tokenizer.IsBuiltin(d.Tokenizer)
}

func tokenizerFault(d workload.Dataset, err error) workload.FieldError {
	return workload.FieldError{
		Path:    "dataset.tokenizer",
		Message: fmt.Sprintf("the controller can't take %.200q, which is not built in, as a file: %v", d.Tokenizer, err),
	}
}

// gatherTokenizer keeps a tokenizer's file of this host's dataset folder.
func (r *run) gatherTokenizer() error {
	d := &r.eff.Dataset
	if !seeksTokenizer(*d) {
		return nil
	}
	file, err := r.c.files.dataset(d.Tokenizer)
	if err != nil {
		return workload.Errors{tokenizerFault(*d, err)}
	}
	defer file.Close()
	kept, err := r.c.files.keepVerbatim("tokenizer.json", file, tokenizer.MaxFile)
	d.TokenizerHash = kept.hash
	return err
}

// tokenizerDrift is how far usage and tokenizer are apart over all answers that
// agents counted, or nil.
func (r *run) tokenizerDrift() *float64 {
	usage, counted := int64(0), int64(0)
	for _, m := range r.members {
		if m.audit != nil {
			usage += m.audit.GetCheckedUsageTokenCount()
			counted += m.audit.GetCheckedTokenizerTokenCount()
		}
	}
	if usage == 0 {
		return nil
	}
	drift := math.Abs(float64(usage-counted)) / float64(usage)
	return &drift
}
