package stampede_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/stampede-bench/stampede"
	"github.com/stampede-bench/stampede/simulate"
	"github.com/stampede-bench/stampede/workload"
)

// modelServer takes the place of the endpoint that is tested.
func modelServer() (url string, stop func()) {
	server, err := simulate.New(simulate.Config{Addr: "127.0.0.1:0", TTFT: "5ms", ITL: "1ms"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Run(ctx); err != nil {
			log.Print(err)
		}
	}()
	return "http://" + server.Addr() + "/v1", func() { cancel(); <-done }
}

const chat = `
endpoint: {url: %q}
dataset: {input_tokens: "50", output_tokens: "10"}
load: {stages: [{rate: 20, arrival: constant, duration: 1s}]}
gates: ["fail_rate<0.01", "ttft.p99<30s"]
`

// Run runs a spec in this process and returns its judged report.
func ExampleRun() {
	url, stop := modelServer()
	defer stop()
	spec, _, err := workload.Parse(fmt.Appendf(nil, chat, url))
	if err != nil {
		log.Fatal(err)
	}
	report, err := stampede.Run(context.Background(), spec, stampede.Config{Agents: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Accounting.Planned, report.Accounting.Succeeded)
	fmt.Println(len(report.MissedGates()), "gates missed")
	// Output:
	// 20 20
	// 0 gates missed
}

// A load test can be a go test: each gate that is missed fails it.
func TestChatKeepsItsPromises(t *testing.T) {
	url, stop := modelServer()
	defer stop()
	spec, _, err := workload.Parse(fmt.Appendf(nil, chat, url))
	if err != nil {
		t.Fatal(err)
	}
	report, err := stampede.Run(t.Context(), spec, stampede.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, gate := range report.MissedGates() {
		t.Error(gate.Message)
	}
}
