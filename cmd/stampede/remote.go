package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/workload"
)

const defaultController = "127.0.0.1:50051"

// remoteFlags say how to reach a controller.
type remoteFlags struct {
	addr  string
	trust trust
}

func (r *remoteFlags) add(f *pflag.FlagSet, def string) {
	usage := "gRPC `ADDR` of the controller"
	if def == "" {
		usage += " to run on, with its agents, instead of inside this process"
	}
	f.StringVar(&r.addr, "controller", def, usage)
	r.trust.add(f, "STAMPEDE_TOKEN")
}

func (r *remoteFlags) dial(w io.Writer) (*client.Client, error) {
	if err := checkController(r.addr); err != nil {
		return nil, err
	}
	env := gatherEnv(w)
	source, config, err := r.trust.read()
	if err != nil {
		return nil, err
	}
	read := func() (string, error) {
		token, err := source.Read()
		return token.Reveal(), err
	}
	return client.Dial(r.addr, client.WithLookupEnv(os.LookupEnv), client.WithProgress(env.Progress), client.WithNotice(env.Notice), client.WithTLS(config), client.WithTokenFrom(read))
}

// checkController refuses what is no address of a controller. What names a way to
// find one, such as dns:///, is left to gRPC.
func checkController(addr string) error {
	scheme, _, named := strings.Cut(addr, ":")
	if named && (scheme == "dns" || scheme == "unix" || scheme == "unix-abstract" || scheme == "passthrough") {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 1 || n > 65535 {
		return usageError(fmt.Errorf("--controller: must be HOST:PORT, got %q", addr), "it is what the controller says that grpc is listening on, such as "+defaultController)
	}
	return nil
}

// withClient makes a command that talks to a controller.
func withClient(io streams, cmd *cobra.Command, do func(cmd *cobra.Command, c *client.Client, args []string) error) *cobra.Command {
	remote := &remoteFlags{}
	remote.add(cmd.Flags(), defaultController)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := remote.dial(io.err)
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd, c, args)
	}
	return cmd
}

func newRegisterCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "register",
		Short:   "Register a spec and print the test id",
		Example: "  stampede register --controller 127.0.0.1:50051 -f spec.yaml",
	}
	spec := addSpecFlags(cmd.Flags())
	return withClient(io, cmd, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		s, notices, err := spec.spec(io.in, "")
		if err != nil {
			return err
		}
		id, more, err := c.Register(cmd.Context(), s, client.RegisterOptions{TestID: spec.parsed.TestID})
		if err != nil {
			return spec.inFile(err)
		}
		for _, n := range append(notices, more...) {
			fmt.Fprintf(io.err, "stampede: %s\n", n)
		}
		_, err = fmt.Fprintln(io.out, id)
		return err
	})
}

func newStartCommand(io streams) *cobra.Command {
	return withClient(io, &cobra.Command{
		Use:     "start ID",
		Short:   "Start a registered test and return at once",
		Example: "  stampede start 5fe3affd-f6ac-44cf-bbd6-f1d3661447ae",
		Args:    oneID,
	}, func(cmd *cobra.Command, c *client.Client, args []string) error {
		runID, err := c.Start(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(io.out, runID)
		return err
	})
}

func newWatchCommand(io streams) *cobra.Command {
	return withClient(io, &cobra.Command{
		Use:     "watch ID",
		Short:   "Show a run's progress until it ends; exits as run would",
		Example: "  stampede watch 5fe3affd-f6ac-44cf-bbd6-f1d3661447ae",
		Args:    oneID,
	}, func(cmd *cobra.Command, c *client.Client, args []string) error {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		p := newProgress(io.err)
		var last client.Test
		for t, err := range c.Watch(ctx, args[0]) {
			if err != nil {
				p.end()
				if ctx.Err() != nil {
					return silently(exitInterrupted)
				}
				return err
			}
			last = t
			p.show(t)
		}
		p.end()
		return concludeWatch(cmd, c, io, args[0], last)
	})
}

// concludeWatch prints one line of what became of the run.
func concludeWatch(cmd *cobra.Command, c *client.Client, io streams, id string, last client.Test) error {
	rep, _, err := c.Report(cmd.Context(), id)
	if err != nil {
		if last.Reason != "" {
			return reasonError(last)
		}
		return err
	}
	fmt.Fprintf(io.out, "%s %s %s\n", rep.ID, strings.ToLower(string(last.State)), rep.Verdict.State)
	for _, g := range rep.MissedGates() {
		fmt.Fprintf(io.err, "stampede: gate missed: %s\n", g.Message)
	}
	return judge(rep, last.State, last.State == client.Cancelled, false)
}

func newReportCommand(io streams) *cobra.Command {
	format, out := formatText, ""
	var exports []string
	plots := false
	cmd := &cobra.Command{
		Use:     "report ID",
		Short:   "Print the report of a run; exits as run would",
		Example: "  stampede report 5fe3affd-f6ac-44cf-bbd6-f1d3661447ae --format json",
		Args:    oneID,
	}
	cmd.Flags().StringVar(&format, "format", format, "what to print: "+formatList)
	addExportFlag(cmd.Flags(), &exports)
	addPlotsFlag(cmd.Flags(), &plots)
	cmd.Flags().StringVar(&out, "out", out, "write report, rows and hash into `DIR`, too")
	return withClient(io, cmd, func(cmd *cobra.Command, c *client.Client, args []string) error {
		if err := checkOutput(format, exports, out); err != nil {
			return err
		}
		if err := checkPlots(plots, out); err != nil {
			return err
		}
		rep, raw, err := c.Report(cmd.Context(), args[0])
		if err != nil {
			return withoutReport(cmd.Context(), c, args[0], err)
		}
		var files []string
		if out != "" {
			if files, err = writeArtefacts(cmd.Context(), c, out, rep, raw, plots, exports...); err != nil {
				return err
			}
		}
		if err := printReport(io, rep, raw, format, files); err != nil {
			return err
		}
		test, err := c.Test(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return judge(rep, test.State, test.State == client.Cancelled, false)
	})
}

// withoutReport is the error of a run that has no report: it exits as run would.
func withoutReport(ctx context.Context, c *client.Client, id string, err error) error {
	if t, terr := c.Test(ctx, id); terr == nil && t.InvalidSpec {
		return usageError(err, "")
	}
	return err
}

func newListCommand(io streams) *cobra.Command {
	return withClient(io, &cobra.Command{
		Use:     "list",
		Short:   "List tests, newest first",
		Example: "  stampede list",
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TEST\tSTATE\tCREATED\tNAME")
		for t, err := range c.List(cmd.Context()) {
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.ID, t.State, t.Created.Local().Format("2006-01-02 15:04:05"), t.Spec.Name)
		}
		return w.Flush()
	})
}

func newCancelCommand(io streams) *cobra.Command {
	now := false
	cmd := &cobra.Command{
		Use:     "cancel ID",
		Short:   "Stop a run: dispatch ends, requests in flight are waited for",
		Example: "  stampede cancel 5fe3affd-f6ac-44cf-bbd6-f1d3661447ae",
		Args:    oneID,
	}
	cmd.Flags().BoolVar(&now, "now", now, "give up on requests in flight")
	return withClient(io, cmd, func(cmd *cobra.Command, c *client.Client, args []string) error {
		t, err := c.Cancel(cmd.Context(), args[0], now)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "%s %s\n", t.RunID, strings.ToLower(string(t.State)))
		return err
	})
}

func newDeleteCommand(io streams) *cobra.Command {
	return withClient(io, &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a test with its runs, reports and rows",
		Example: "  stampede delete 5fe3affd-f6ac-44cf-bbd6-f1d3661447ae",
		Args:    oneID,
	}, func(cmd *cobra.Command, c *client.Client, args []string) error {
		files, err := c.Delete(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "deleted %s and %s\n", args[0], plural.Of(len(files), "file"))
		return err
	})
}

func newAgentsCommand(io streams) *cobra.Command {
	return withClient(io, &cobra.Command{
		Use:     "agents",
		Short:   "List the agents that are connected",
		Example: "  stampede agents",
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		agents, err := c.Agents(cmd.Context())
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tHOST\tVERSION\tCPUS\tIN FLIGHT\tCPU\tCLOCK OFFSET")
		for _, a := range agents {
			fmt.Fprintf(w, "%s\t%s\t%s\t%.3g\t%d\t%.0f%%\t%s ± %s\n", a.Name, a.Host, a.Version, a.CPUs, a.InFlight,
				a.CPUUtilization*100, a.ClockOffset.Round(time.Microsecond), a.ClockBound.Round(time.Microsecond))
		}
		return w.Flush()
	})
}

func printSpec(io streams, spec *workload.Spec) error {
	data, err := spec.YAML()
	if err != nil {
		return err
	}
	_, err = io.out.Write(data)
	return err
}
