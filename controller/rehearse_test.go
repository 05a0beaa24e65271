package controller

import (
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

// What could be read of a document with errors is looked at for more, whatever it
// says.
func FuzzFaultsOfWhatCouldBeRead(f *testing.F) {
	for _, doc := range []string{
		`{"url": 5, "model": "m", "endpoint_type": "openai", "dataset_name": "synthesizer", "dataset_config": {"func": "lambda t: t", "prompt_source": "x"}}`,
		`{"url": 5, "model": "m", "endpoint_type": "openai", "dataset_name": "arena", "workload_range": [1, "x"], "dataset_config": {"compression_ratio": -1}}`,
		`{"endpoint": {"url": 1}, "dataset": {"path": "/x", "tokenizer": "y", "prefix": {"tokens": "z"}}, "load": {"warmup": {"requests": -1}, "stages": [{}, {"rate": "x"}, {"rate": 1, "end_rate": -1}]}}`,
		`{"load": {"stages": [{"replay": {"time_scale": 0}}, {"concurrency": -1}, {"func": "lambda t: 10 ** t", "requests": -5}]}, "trials": "x", "gates": ["a<1", "ttft.p99<1s"]}`,
		`{"dataset": {"corpus_hash": "0000000000000000000000000000000000000000000000000000000000000000"}, "sessions": {"range": "5:", "compression_ratio": 0}, "agents": "x"}`,
	} {
		f.Add([]byte(doc))
	}
	c, err := New(Config{DataDir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := workload.ParseFull(data)
		if all := p.AllFaults(err, c.faults(p.Partial)); (all == nil) != (err == nil) {
			t.Errorf("%q: read with %v, in all %v", data, err, all)
		}
	})
}
