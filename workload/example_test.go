package workload_test

import (
	"errors"
	"fmt"

	"github.com/stampede-bench/stampede/workload"
)

func ExampleParse() {
	spec, _, err := workload.Parse([]byte(`
endpoint: {url: "http://localhost:8000/v1"}
load:
  stages:
    - {rate: 10, duration: 1m}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	spec, assumed := spec.WithDefaults()
	for _, notice := range assumed {
		fmt.Println("assumed:", notice)
	}
	stage := spec.Load.Stages[0]
	fmt.Println(*stage.Rate, "requests/s for", stage.Duration, "with", stage.Arrival, "arrivals")
	// Output:
	// assumed: no dataset given: synthetic prompts, 256 input tokens, 128 output tokens
	// 10 requests/s for 1m with poisson arrivals
}

// All errors come at once, each with its path and often with a hint.
func ExampleErrors() {
	_, _, err := workload.Parse([]byte(`
endpoint: {url: "localhost:8000/v1", modell: llama}
load:
  stages:
    - {rate: 10}
    - {rate: -3}
`))
	var errs workload.Errors
	if errors.As(err, &errs) {
		for _, e := range errs {
			fmt.Println(e)
			if e.Hint != "" {
				fmt.Println("  hint:", e.Hint)
			}
		}
	}
	// Output:
	// endpoint.modell: is not a key of a spec
	//   hint: did you mean model?
	// endpoint.url: must be a base URL such as http://host:8000/v1, with http or https, got "localhost:8000/v1"
	//   hint: did you mean http://localhost:8000/v1?
	// load.stages[1].rate: must be greater than 0, got -3
}

func ExampleSpec_YAML() {
	spec, _, err := workload.Parse([]byte(`{"endpoint": {"url": "http://localhost:8000/v1", "headers": {"X-Api-Key": "sk-1234"}}, "slo": {"ttft": "500ms"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := spec.YAML()
	fmt.Print(string(file), err)
	// Output:
	// endpoint:
	//   url: http://localhost:8000/v1
	//   headers:
	//     X-Api-Key: '***'
	// load: {}
	// slo:
	//   ttft: 0.5s
	// <nil>
}
