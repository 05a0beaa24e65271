package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/doctor"
	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/workload"
)

type doctorFlags struct {
	url, keyEnv string
	remote      remoteFlags
	format      string
}

func newDoctorCommand(io streams) *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this host, and the way to an endpoint and a controller",
		Long: `Doctor checks what disturbs a load generator: clocks, timers, kernel stamps, open
files, local ports, CPU quota and governor, load, memory; with --url the way to
an endpoint, with --controller the way to a controller and the same of the host of
every agent that is connected to it. Each finding is ok, warn or fail, and says
what to do. It changes nothing and sends no load.

Exit status: 0, or 1 when a check failed.`,
		Example: `  stampede doctor
  stampede doctor --url http://localhost:8000/v1 --api-key-env MY_KEY
  stampede doctor --controller 127.0.0.1:50051 --url http://10.0.0.42:8000/v1
  stampede doctor --controller 127.0.0.1:50051 --format json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), io) },
	}
	cmd.Flags().StringVar(&f.url, "url", "", "base `URL` of an endpoint to reach")
	cmd.Flags().StringVar(&f.keyEnv, "api-key-env", "", "environment variable `NAME` that holds the endpoint's key (default OPENAI_API_KEY, only for https://api.openai.com)")
	f.remote.add(cmd.Flags(), "")
	cmd.Flags().Lookup("controller").Usage = "gRPC `ADDR` of a controller to reach"
	cmd.Flags().StringVar(&f.format, "format", formatText, "what to print: text or json")
	return cmd
}

func (f *doctorFlags) run(ctx context.Context, io streams) error {
	if err := checkFormat(f.format, formatText, formatJSON); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	o := doctor.Options{URL: f.url, KeyEnv: f.key()}
	if o.KeyEnv != "" {
		o.Key = secret.New(os.Getenv(o.KeyEnv))
	}
	if f.remote.addr == "" {
		return f.conclude(io, doctor.Examine(ctx, o))
	}
	c, err := f.remote.dial(io.err)
	if err != nil {
		return err
	}
	defer c.Close()
	o.Controller, o.AskController = f.remote.addr, countAgents(c)
	findings := doctor.Examine(ctx, o)
	if findings[len(findings)-1].Level == doctor.OK { // it answers, and has agents
		findings = append(findings, askAgents(ctx, c, o)...)
	}
	return f.conclude(io, findings)
}

func (f *doctorFlags) conclude(io streams, findings []doctor.Finding) error {
	if err := f.print(io.out, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(x doctor.Finding) bool { return x.Level == doctor.Fail }) {
		return silently(exitFailed)
	}
	return nil
}

// key is the variable that a run would take the key from.
func (f *doctorFlags) key() string {
	spec, _ := (&workload.Spec{Endpoint: workload.Endpoint{URL: f.url, APIKeyEnv: f.keyEnv}}).WithDefaults()
	return spec.Endpoint.APIKeyEnv
}

func countAgents(c *client.Client) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		agents, err := c.Agents(ctx)
		return len(agents), err
	}
}

// clockFar is how far an agent's clock may be off before it is worth a word: rows
// are brought to the controller's clock, but logs are not.
const clockFar = time.Second

// askAgents has every agent look at its own host and at its way to the endpoint.
func askAgents(ctx context.Context, c *client.Client, o doctor.Options) []doctor.Finding {
	answers, err := c.Examine(ctx, o.URL, o.Key.Reveal())
	if err != nil {
		return []doctor.Finding{{Check: "agents", Level: doctor.Fail, Message: "they can't be asked: " + err.Error()}}
	}
	var all []doctor.Finding
	for _, a := range answers {
		if a.Problem != "" {
			all = append(all, doctor.Finding{Agent: a.Agent.Name, Check: "agent", Level: doctor.Fail, Message: a.Problem, Fix: "see its log on " + a.Agent.Host})
			continue
		}
		clock := doctor.Finding{Agent: a.Agent.Name, Check: "controller's clock", Level: doctor.OK, Message: fmt.Sprintf("off by %v, ±%v; rows are brought to the controller's", a.Agent.ClockOffset, a.Agent.ClockBound)}
		if a.Agent.ClockOffset.Abs() > clockFar {
			clock.Level, clock.Fix = doctor.Warn, "systemctl enable --now chronyd, or timedatectl set-ntp true"
		}
		all = append(all, clock)
		for _, x := range a.Findings {
			all = append(all, doctor.Finding{Agent: a.Agent.Name, Check: x.Check, Level: doctor.Level(x.Level), Message: x.Message, Fix: x.Fix})
		}
	}
	return all
}

func (f *doctorFlags) print(w io.Writer, findings []doctor.Finding) error {
	if f.format == formatJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string]any{"findings": findings})
	}
	_, err := io.WriteString(w, findingsText(findings, colorful(w)))
	return err
}

// findingsText is a line a finding, what to do below it, and a sum.
func findingsText(findings []doctor.Finding, color bool) string {
	marks := map[doctor.Level]string{doctor.OK: "✔ ok  ", doctor.Warn: "▲ warn", doctor.Fail: "✘ fail"}
	codes := map[doctor.Level]string{doctor.OK: "32", doctor.Warn: "33", doctor.Fail: "31"}
	wide := 0
	count := map[doctor.Level]int{}
	for _, x := range findings {
		wide = max(wide, len(x.Check))
		count[x.Level]++
	}
	style := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	var b strings.Builder
	host := ""
	for _, x := range findings {
		if x.Agent != host {
			host = x.Agent
			fmt.Fprintf(&b, "\nagent %s\n", host)
		}
		fmt.Fprintf(&b, "%s  %-*s  %s\n", style(codes[x.Level], marks[x.Level]), wide, x.Check, x.Message)
		if x.Fix != "" {
			fmt.Fprintf(&b, "%*s%s\n", wide+10, "", style("2", "→ "+x.Fix))
		}
	}
	fmt.Fprintf(&b, "%d checks: %d ok, %d warn, %d fail\n", len(findings), count[doctor.OK], count[doctor.Warn], count[doctor.Fail])
	return b.String()
}
