// Command stampede loads LLM-serving endpoints and measures them. One binary is
// everything: a one-command benchmark, a controller, an agent, the client, and a
// simulator of a model server. It only turns flags into configs and runs them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are what a command reads and writes: results go to out, everything
// else to err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

func run(args []string, in io.Reader, out, errw io.Writer) int {
	io := streams{in: in, out: out, err: errw}
	root := newRoot(io)
	root.SetArgs(habits(args))
	err := root.ExecuteContext(context.Background())
	code := exitCode(err)
	printError(errw, err)
	return code
}

func newRoot(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "stampede",
		Short: "Load LLM-serving endpoints and measure them",
		Long: `Stampede sends OpenAI-style requests on a schedule, times every token, and
reports TTFT, TPOT, ITL, latency, throughput, goodput and failures, with a
verdict on its own accuracy above all numbers.`,
		Example: `  stampede run --url http://localhost:8000/v1
  stampede run --simulate --rate 20 --duration 10s`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetIn(io.in)
	root.SetFlagErrorFunc(flagFault)
	root.AddCommand(
		newRunCommand(io), newPlanCommand(io), newDatasetCommand(io),
		newControllerCommand(io), newAgentCommand(io), newSimulateCommand(io),
		newRegisterCommand(io), newStartCommand(io), newWatchCommand(io), newReportCommand(io),
		newListCommand(io), newCancelCommand(io), newDeleteCommand(io), newAgentsCommand(io), newCompareCommand(io),
		newDoctorCommand(io), newHealthCommand(io), newVersionCommand(io), newDocsCommand(io),
	)
	for _, cmd := range root.Commands() {
		if cmd.Args == nil {
			cmd.Args = noArgs
		}
	}
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0]), cmd.CommandPath()+" --help shows an example")
	}
	return nil
}

func oneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(fmt.Errorf("%s takes exactly one test or run id, got %d", cmd.CommandPath(), len(args)), "stampede list shows the ids")
	}
	return nil
}

// untilSignal returns a context that ends with the first interrupt or SIGTERM;
// a second one ends the process as the system would.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
