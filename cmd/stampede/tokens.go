package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// newTokensCommand makes what --client-token-file and --agent-token-file take,
// where there is no other tool to make it with, such as in an image.
func newTokensCommand(io streams) *cobra.Command {
	var clients, agents, metrics string
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "Make files with fresh tokens where there are none",
		Long: `Tokens makes the files that are named and are not there yet, with mode 0600 and
a fresh random token each; it leaves alone what is there, and prints no token.
The file of --metrics holds a token that may only look, which --client has then,
too.`,
		Example: `  stampede controller tokens --client client.tokens --agent agent.tokens`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if clients+agents+metrics == "" {
				return usageError(errors.New("name at least one file"), "--client client.tokens --agent agent.tokens")
			}
			if metrics != "" && clients == "" {
				return usageError(errors.New("--metrics needs --client, the file in which a controller finds that token"), "")
			}
			return makeTokens(io, clients, agents, metrics)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&clients, "client", "", "`FILE` for --client-token-file")
	fl.StringVar(&agents, "agent", "", "`FILE` for --agent-token-file, and for --token-file of agents")
	fl.StringVar(&metrics, "metrics", "", "`FILE` for one who may only look, such as Prometheus")
	return cmd
}

func makeTokens(io streams, clients, agents, metrics string) error {
	look := ""
	if metrics != "" {
		look = newToken()
		switch made, err := makeFile(metrics, look+"\n"); {
		case err != nil:
			return err
		case made:
			fmt.Fprintln(io.out, "made", metrics)
		default:
			old, err := os.ReadFile(metrics)
			if err != nil {
				return err
			}
			look = string(old)
		}
	}
	files := []struct{ name, text string }{{agents, newToken() + "\n"}, {clients, newToken() + "\n"}}
	if look != "" {
		files[1].text += "read " + look
	}
	for _, f := range files {
		if f.name == "" {
			continue
		}
		made, err := makeFile(f.name, f.text)
		if err != nil {
			return err
		}
		if made {
			fmt.Fprintln(io.out, "made", f.name)
		}
	}
	return nil
}

func newToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// makeFile makes a file, whole or not at all, unless there is one.
func makeFile(name, text string) (made bool, err error) {
	if err := checkFolder("the file "+name, filepath.Dir(name)); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tokens-*")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	// A link fails when the name is taken, which a rename does not.
	if err := os.Link(f.Name(), name); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}
