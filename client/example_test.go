package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// chat is ten requests a second for a minute.
func chat() *workload.Spec {
	return &workload.Spec{
		Name:     "chat, steady",
		Endpoint: workload.Endpoint{URL: "http://127.0.0.1:8001/v1"},
		Load:     workload.Load{Stages: []workload.Stage{{Rate: new(workload.Rate(10)), Duration: workload.Duration(time.Minute)}}},
		SLO:      workload.SLO{TTFT: workload.Duration(500 * time.Millisecond)},
	}
}

// A test step by step: what Run does in one call.
func Example() {
	c, stop := newFake().dial() // client.Dial("127.0.0.1:50051")
	defer stop()
	ctx := context.Background()

	id, notices, err := c.Register(ctx, chat(), client.RegisterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range notices {
		fmt.Println("note:", n)
	}
	if _, err := c.Start(ctx, id); err != nil {
		log.Fatal(err)
	}
	for t, err := range c.Watch(ctx, id) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.State)
	}
	report, _, err := c.Report(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Verdict.State)
	// Output:
	// note: no load given
	// PENDING
	// RUNNING
	// SUCCEEDED
	// valid
}

// A controller beyond loopback asks for a token, which is read at every call here,
// and shows a certificate.
func ExampleDial() {
	pem, err := os.ReadFile("ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := client.Dial("bench-0.internal:50051",
		client.WithTLS(&tls.Config{RootCAs: roots}),
		client.WithTokenFrom(func() (string, error) {
			token, err := os.ReadFile("client.token")
			return strings.TrimSpace(string(token)), err
		}),
		client.WithLookupEnv(os.LookupEnv), // for api_key_env
	)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

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

// The same request id begins one run, however often the call is repeated.
func ExampleClient_StartOnce() {
	c, stop := newFake().dial()
	defer stop()

	for range 2 {
		run, err := c.StartOnce(context.Background(), testID, "nightly-2026-11-26")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(run)
	}
	// Output:
	// 3f2c9a1e-7b0d-4c55-9d3e-1f2a3b4c5d6e.1
	// 3f2c9a1e-7b0d-4c55-9d3e-1f2a3b4c5d6e.1
}

// An error says what it is to programs, and what to do about it to people.
func ExampleError() {
	f := newFake()
	f.refuse = running()
	c, stop := f.dial()
	defer stop()

	_, err := c.Start(context.Background(), testID)
	var detail *client.Error
	if errors.Is(err, client.ErrRunning) && errors.As(err, &detail) {
		fmt.Println(detail.Message)
		fmt.Println(detail.Hint)
	}
	// Output:
	// it is already running
	// watch it, or cancel it first
}

// The pages of a list are fetched as they are needed.
func ExampleClient_List() {
	c, stop := newFake().dial()
	defer stop()

	for t, err := range c.List(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.ID)
	}
	// Output:
	// c
	// b
	// a
}

// Samples are all that was observed of each request.
func ExampleClient_Samples() {
	c, stop := newFake().dial()
	defer stop()

	for s, err := range c.Samples(context.Background(), testID) {
		if err != nil {
			log.Fatal(err)
		}
		for _, sample := range s.Samples {
			if sample.Status == measure.Succeeded {
				fmt.Println(s.Context.Agent, sample.Index, time.Duration(sample.FirstToken-sample.Sent))
			}
		}
	}
	// Output:
	// a 0 20ns
	// b 1 20ns
}

// WriteRows writes the rows of requests_ID.jsonl.
func ExampleClient_WriteRows() {
	c, stop := newFake().dial()
	defer stop()

	var file bytes.Buffer // os.Create("requests.jsonl")
	rows, err := c.WriteRows(context.Background(), testID, &file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows)
	// Output: 2
}
