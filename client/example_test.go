package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/workload"
)

// Run does everything: it registers a spec, starts it, follows it to its end and
// brings the report.
func ExampleClient_Run() {
	c, stop := newFake().dial() // client.Dial("127.0.0.1:50051")
	defer stop()

	spec, _, err := workload.Parse([]byte(`
endpoint: {url: "http://127.0.0.1:8001/v1"}
load: {stages: [{rate: 10, duration: 60s}]}
`))
	if err != nil {
		log.Fatal(err)
	}
	result, err := c.Run(context.Background(), spec, func(t client.Test) { fmt.Println(t.State) })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Report.Verdict.State)
	// Output:
	// PENDING
	// RUNNING
	// SUCCEEDED
	// valid
}

// A watch outlives a restart of the controller and ends with the run.
func ExampleClient_Watch() {
	c, stop := newFake().dial()
	defer stop()

	for t, err := range c.Watch(context.Background(), testID) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Revision, t.State)
	}
	// Output:
	// 1 PENDING
	// 2 RUNNING
	// 5 SUCCEEDED
}

// Every violation of a spec comes back with its path.
func ExampleClient_Register_invalid() {
	f := newFake()
	f.refuse = badSpec()
	c, stop := f.dial()
	defer stop()

	_, _, err := c.Register(context.Background(), &workload.Spec{}, client.RegisterOptions{})
	var violations workload.Errors
	if errors.As(err, &violations) {
		for _, v := range violations {
			fmt.Println(v)
		}
	}
	// Output:
	// load.stages[1].rate: must be greater than 0, got -3
	// endpoint.url: is required
}
