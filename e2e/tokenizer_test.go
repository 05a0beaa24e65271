package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// sharedTokenizer is a small file with the algorithm of Llama and Mistral.
func sharedTokenizer() string {
	return filepath.Join(harness.Root(), "workload", "tokenizer", "testdata", "reference", "small", "sentence_bpe.json")
}

// ran runs to an end at which every request succeeded. Whether this machine had
// the time to measure well is not the question here.
func ran(t *testing.T, args ...string) {
	t.Helper()
	harness.Stampede(t, args...).Judged(t)
}

// Prompts have, by the server's own count with the same tokenizer, exactly the
// lengths that were asked for: on agents of their own that have neither the file
// nor the server's route, and by the server's route alone.
func TestPromptsAreExactAtTheServer(t *testing.T) {
	tokenizer := filepath.Join(t.TempDir(), "tokenizer.json")
	data, err := os.ReadFile(sharedTokenizer())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tokenizer, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := harness.StartCluster(t, 2)
	for name, c := range map[string]struct{ server, asked string }{
		"file":     {tokenizer, tokenizer},
		"built in": {"cl100k_base", "cl100k_base"},
		"server":   {"o200k_base", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			sim := harness.StartSimulator(t, "--tokenizer", c.server)
			out := t.TempDir()
			ran(t, "run", "--controller", cluster.GRPC, "--url", sim.URL(), "--tokenizer", c.asked, "--input-tokens", "uniform:1:400",
				"--output-tokens", "40", "--rate", "40", "--requests", "40", "--no-preflight", "--no-progress", "--out", out)
			artefacts := harness.ReadArtefacts(t, out)
			harness.MatchAccount(t, artefacts.Rows, sim.Account(t))
			served := sim.Account(t)
			for _, row := range artefacts.Rows {
				records := served[row.ID]
				if len(records) != 1 || row.InputTokens == nil || int(*row.InputTokens) != records[0].InputTokens {
					t.Fatalf("%s: the row says %v, the server %+v", row.ID, row.InputTokens, records)
				}
			}
			lengths := map[int]bool{}
			for _, r := range served {
				lengths[r[0].InputTokens] = true
			}
			plan := harness.Stampede(t, "plan", "--url", sim.URL(), "--tokenizer", c.server, "--input-tokens", "uniform:1:400", "--output-tokens", "40", "--rate", "40", "--requests", "40").Must(t, 0)
			total := 0
			for _, r := range served {
				total += r[0].InputTokens
			}
			if want := "input tokens  " + strconv.Itoa(total) + " "; !strings.Contains(plan.Out, want) {
				t.Errorf("the server counted %d, plan says otherwise:\n%s", total, plan.Out)
			}
			if len(lengths) < 30 {
				t.Errorf("%d different lengths, want nearly all", len(lengths))
			}
			for _, n := range artefacts.Report.Verdict.Notices {
				if strings.Contains(n, "tokenizer") {
					t.Errorf("notice %q, want none", n)
				}
			}
		})
	}
}

// A tokenizer that is not the server's is noticed, and where there is no usage it
// counts.
func TestTokenizerAgainstUsage(t *testing.T) {
	sim := harness.StartSimulator(t)
	out := t.TempDir()
	ran(t, "run", "--url", sim.URL(), "--tokenizer", sharedTokenizer(), "--requests", "10", "--output-tokens", "64", "--rate", "50",
		"--no-progress", "--out", out)
	if notices := harness.ReadArtefacts(t, out).Report.Verdict.Notices; !strings.Contains(strings.Join(notices, "\n"), "usage and tokenizer differ by") {
		t.Errorf("notices %q, want the difference", notices)
	}
	silent := harness.StartSimulator(t, "--no-usage", "--tokenizer", "cl100k_base")
	out = t.TempDir()
	ran(t, "run", "--url", silent.URL(), "--tokenizer", "cl100k_base", "--requests", "10", "--output-tokens", "64", "--rate", "50",
		"--endpoint-type", "openai", "--no-progress", "--out", out)
	for _, row := range harness.ReadArtefacts(t, out).Rows {
		if row.TokenSource == nil || *row.TokenSource != "tokenizer" || row.OutputTokens == nil || *row.OutputTokens < 63 || *row.OutputTokens > 65 {
			t.Errorf("%s: %s tokens, want 64 by tokenizer", row.ID, number(row.OutputTokens))
		}
	}
}

func number(n *int32) string {
	if n == nil {
		return "no"
	}
	return strconv.Itoa(int(*n))
}
