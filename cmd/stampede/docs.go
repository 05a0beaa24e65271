package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newDocsCommand writes the reference of all commands, for releases.
func newDocsCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{Use: "docs", Short: "Write the reference of all commands", Hidden: true}
	writer := func(kind, short string, write func(root *cobra.Command, dir string) error) *cobra.Command {
		return &cobra.Command{
			Use:     kind + " DIR",
			Short:   short,
			Example: "  stampede docs " + kind + " out",
			Args: func(cmd *cobra.Command, args []string) error {
				if len(args) != 1 {
					return usageError(fmt.Errorf("%s takes exactly one folder, got %d", cmd.CommandPath(), len(args)), "")
				}
				return nil
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := os.MkdirAll(args[0], 0o755); err != nil {
					return err
				}
				root := cmd.Root()
				root.DisableAutoGenTag = true // the same output for the same source
				root.InitDefaultCompletionCmd()
				return write(root, args[0])
			},
		}
	}
	cmd.AddCommand(
		writer("man", "Write man pages", func(root *cobra.Command, dir string) error {
			date := time.Unix(0, 0).UTC()
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "stampede " + versionString(), Manual: "Stampede", Date: &date}, dir)
		}),
		writer("markdown", "Write Markdown pages", doc.GenMarkdownTree),
	)
	return cmd
}
