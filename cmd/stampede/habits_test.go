package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"
)

func TestHabits(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"run --goodput ttft:500 tpot:50 --url x", "run --goodput ttft:500,tpot:50 --url x"},
		{"run --goodput ttft:500 tpot:50 e2el:1000", "run --goodput ttft:500,tpot:50,e2el:1000"},
		{"run --goodput=ttft:500 tpot:50", "run --goodput=ttft:500,tpot:50"},
		{"run --goodput ttft:500", "run --goodput ttft:500"},
		{"run --slo ttft=500ms tpot=50ms", "run --slo ttft=500ms,tpot=50ms"},
		{"run --slo ttft=500ms,tpot=50ms", "run --slo ttft=500ms,tpot=50ms"},
		{"run --goodput", "run --goodput"},
		{"run --goodput --url x", "run --goodput --url x"},
		{"start ttft:500 tpot:50", "start ttft:500 tpot:50"},
		{"run -- --goodput ttft:5 tpot:5", "run -- --goodput ttft:5 tpot:5"},
		{"run --goodput ttft:500 tpot:50 --goodput e2el:9 x", "run --goodput ttft:500,tpot:50 --goodput e2el:9 x"},
	} {
		if got := strings.Join(habits(strings.Fields(tt.in)), " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

// Nothing but the words of an objective is touched.
func TestHabitsKeepTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOf(rapid.SampledFrom([]string{"run", "--url", "x", "--goodput", "--slo=", "--", "-f", "ttft", "tpot:", ""})).Draw(t, "args")
		if got := habits(args); strings.Join(got, "\x00") != strings.Join(args, "\x00") {
			t.Fatalf("got %q from %q", got, args)
		}
	})
}

func TestForeignFlagsAreTranslated(t *testing.T) {
	for flag := range foreign {
		if got := flagHint(&cobra.Command{}, flag, "usual"); !strings.HasPrefix(got, "here that is ") {
			t.Errorf("%s: %q", flag, got)
		}
	}
	for flag, want := range map[string]string{"nonsense": "usual", "": "usual", "concurency": "did you mean --concurrency?", "sead": "did you mean --seed?"} {
		if got := flagHint(newRunCommand(streams{}), flag, "usual"); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
	// A flag that exists here needs no translation.
	io := streams{}
	cmd := newRunCommand(io)
	for flag := range foreign {
		if cmd.Flags().Lookup(flag) != nil {
			t.Errorf("--%s exists", flag)
		}
	}
}
