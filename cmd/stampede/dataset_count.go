package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/workload/dataset"
)

func newDatasetCountCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "count NAME|FILE",
		Short:   "Count conversations, turns and tokens, with their distributions",
		Example: "  stampede dataset count oasst1",
	}
	return dataCommand(io, cmd, 0, func(g *gathered, _ []string) error {
		if err := headline(io.out, g); err != nil {
			return err
		}
		var turns, in, out tally
		guessed := false
		for r, err := range g.All() {
			if err != nil {
				return err
			}
			turns.add(len(r.Turns))
			for t := range r.Turns {
				a, b := turnTokens(&r.Turns[t])
				in.add(a)
				guessed = guessed || r.Turns[t].InputTokens == 0
				if b > 0 {
					out.add(b)
				}
			}
		}
		w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "\tcount\ttotal\tmean\tmin\tp50\tp90\tp99\tmax\t")
		turns.print(w, "turns a conversation")
		in.print(w, "new tokens a turn")
		out.print(w, "tokens an answer")
		if err := w.Flush(); err != nil {
			return err
		}
		if guessed {
			fmt.Fprintf(io.out, "tokens are words times %g; histories are not counted again\n", dataset.TokensPerTextWord)
		}
		return nil
	})
}

// tally keeps small numbers to say how they are distributed.
type tally struct {
	values []int32
	sum    int64
}

func (t *tally) add(n int) {
	t.values = append(t.values, int32(n)) // at most dataset.MaxTokens or a record's bytes
	t.sum += int64(n)
}

func (t *tally) print(w *tabwriter.Writer, name string) {
	n := len(t.values)
	if n == 0 {
		fmt.Fprintf(w, "%s\t0\t\t\t\t\t\t\t\t\n", name)
		return
	}
	slices.Sort(t.values)
	rank := func(percent int) int32 { return t.values[(n*percent+99)/100-1] }
	fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%d\t%d\t%d\t%d\t%d\t\n", name, n, t.sum, float64(t.sum)/float64(n), t.values[0], rank(50), rank(90), rank(99), t.values[n-1])
}

func newDatasetConvertCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "convert NAME|FILE OUT",
		Short: "Write a dataset as a corpus file, or as JSONL when OUT ends in .jsonl",
		Long: `Convert reads a dataset once and writes it as a corpus file, the compact form in
which data goes to a controller and its agents and which every command takes, or,
when OUT ends in .jsonl, as conversations or messages a line; arrivals, lengths of
prompts and branches of conversations have no place there.`,
		Example: "  stampede dataset convert arena arena.corpus\n  stampede dataset convert questions.parquet questions.jsonl --columns prompt=question",
	}
	return dataCommand(io, cmd, 1, func(g *gathered, args []string) error {
		if err := checkFolder("the file "+args[0], filepath.Dir(args[0])); err != nil {
			return err
		}
		if err := headline(io.out, g); err != nil {
			return err
		}
		if strings.HasSuffix(args[0], ".jsonl") {
			return writeLines(g, args[0])
		}
		return copyFile(g.path, args[0])
	})
}

// copyFile replaces a file whole.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return replaceFile(to, func(out *os.File) error {
		_, err := out.ReadFrom(in)
		return err
	})
}

func replaceFile(name string, write func(*os.File) error) error {
	out, err := os.CreateTemp(filepath.Dir(name), ".stampede-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	if err := errors.Join(write(out), out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), name)
}

// writeLines writes the conversations of a corpus as JSONL.
func writeLines(g *gathered, name string) error {
	return replaceFile(name, func(out *os.File) error {
		w := bufio.NewWriterSize(out, 1<<20)
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		for r, err := range g.All() {
			if err == nil && g.Textless() > 0 {
				err = errors.New("rows without text can't be written as JSONL")
			}
			if err == nil {
				err = encoder.Encode(lineOf(&r))
			}
			if err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

// line is a row of such a file.
type line struct {
	Messages      []dataset.Message `json:"messages,omitempty"`
	Conversations []said            `json:"conversations,omitempty"`
	OutputTokens  int               `json:"output_tokens,omitempty"`
}

type said struct {
	From  string `json:"from"`
	Value string `json:"value"`
}

func lineOf(r *dataset.Record) line {
	var l line
	for t := range r.Turns {
		turn := &r.Turns[t]
		l.OutputTokens = max(l.OutputTokens, turn.OutputTokens)
		l.Messages = append(l.Messages, turn.Messages...)
		if turn.Answer != "" || t < len(r.Turns)-1 {
			l.Messages = append(l.Messages, dataset.Message{Role: dataset.RoleAssistant, Content: turn.Answer})
		}
	}
	if r.OneRequest {
		return l
	}
	names := map[string]string{dataset.RoleUser: "human", dataset.RoleAssistant: "gpt"}
	for _, m := range l.Messages {
		from := m.Role
		if name, ok := names[from]; ok {
			from = name
		}
		l.Conversations = append(l.Conversations, said{from, m.Content})
	}
	l.Messages = nil
	return l
}
