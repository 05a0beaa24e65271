package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/workload"
)

// flagFault says what is wrong with a command's flags: what stands there, and what
// may.
func flagFault(cmd *cobra.Command, err error) error {
	hint := cmd.CommandPath() + " --help lists the flags"
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		return usageError(fmt.Errorf("--%s: must be %s, got %q", value.GetFlag().Name, wanted(value), value.GetValue()), hint)
	case errors.As(err, &missing):
		return usageError(fmt.Errorf("%s needs a value", dashed(missing.GetSpecifiedName())), hint)
	case errors.As(err, &unknown):
		return usageError(fmt.Errorf("there is no flag %s", dashed(unknown.GetSpecifiedName())), flagHint(cmd, unknown.GetSpecifiedName(), hint))
	}
	return usageError(err, hint)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// flagHint says what a flag that is not known may mean here.
func flagHint(cmd *cobra.Command, name, hint string) string {
	if here := foreign[name]; here != "" {
		return "here that is " + here
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := workload.Nearest(name, names)
	if near == "" || !strings.Contains(near, name) && workload.EditDistance(name, near) > (len(name)+1)/3 {
		return hint
	}
	return "did you mean --" + near + "?"
}

// wanted names what a flag takes, by its type or else by what it said itself.
func wanted(e *pflag.InvalidValueError) string {
	var kind string
	switch e.GetFlag().Value.Type() {
	case "int", "int32", "int64":
		kind = "a whole number"
	case "uint", "uint64":
		kind = "a whole number, not negative"
	case "float64":
		kind = "a number"
	case "bool":
		kind = "true or false"
	case "duration":
		return workload.DurationForm
	case "stringToString":
		return "KEY=VALUE, several with commas between them"
	default:
		return strings.TrimPrefix(e.Unwrap().Error(), "must be ")
	}
	if strings.Contains(e.Unwrap().Error(), "out of range") {
		kind += " of at most 64 bits"
	}
	return kind
}

// noCommand is for commands that are there for those below them.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if near := workload.Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near)
	}
	return usageError(fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0]), hint)
}
