package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/simulate"
)

// files that the page's commands name.
var migrateFiles = map[string]string{
	"ShareGPT.json": `[{"id":"a","conversations":[{"from":"human","value":"What is a stampede?"},{"from":"gpt","value":"Many animals that run at once."}]}]`,
	"prompts.jsonl": `{"prompt":"What is a herd?"}` + "\n",
	"seed.json": `{"url":"http://localhost:8000/v1","model":"stampede-sim","endpoint_type":"vllm","dataset_name":"synthesizer",
 "dataset_config":{"func":"lambda t: int(t / 0.1 + 1) if t < 2 else None","prompt_source":"synthetic","random_seed":1},
 "workload_range":[null,null],"kwargs":{"temperature":0.9,"top_p":1,"max_tokens":16,"skip_idle_min":20,"time_step":0.01}}`,
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// Every command of docs/migrate.md runs, against a simulator, for less than a second a
// stage.
func TestMigrateCommands(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrate.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, url := simulated(t, simulate.Config{})
	t.Chdir(t.TempDir())
	for name, text := range migrateFiles {
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "http://localhost:8000/v1", url)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := 0
	for _, block := range shellBlock.FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "stampede ") {
				continue
			}
			commands++
			args := words(strings.ReplaceAll(line, "http://localhost:8000/v1", url))[1:]
			if !strings.Contains(line, " -f ") && !strings.Contains(line, "--func") {
				args = append(args, "--duration", "400ms")
			}
			if code, out, errs := cli(append(args, "--no-progress")...); code != exitOK && code != exitUntrusted {
				t.Errorf("%s\nexit status %d\n%s%s", line, code, out, errs)
			}
		}
	}
	if commands < 10 {
		t.Errorf("%d commands, want more: has the page another form?", commands)
	}
}

// words splits a command line as a shell would, for single quotes and spaces.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// A flag that the page calls the same here exists.
func TestMigratePageKnowsTheFlags(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrate.md"))
	if err != nil {
		t.Fatal(err)
	}
	flags := newRunCommand(streams{}).Flags()
	flag := regexp.MustCompile("`[^`]*--([a-z][a-z0-9-]+)")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if len(cells) < 2 || !strings.HasPrefix(line, "| ") {
			continue
		}
		here := cells[1]
		if strings.HasPrefix(here, "the same") && strings.HasPrefix(cells[0], "| `--") {
			here += strings.TrimPrefix(cells[0], "| ")
		}
		for _, m := range flag.FindAllStringSubmatch(here, -1) {
			if flags.Lookup(m[1]) == nil {
				t.Errorf("--%s does not exist: %s", m[1], strings.TrimSpace(line))
			}
		}
	}
}
