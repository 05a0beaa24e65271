package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// odd is what only a programmer knows: words of packages, formatting gone wrong,
// names of files that nobody gave.
var odd = regexp.MustCompile(`strconv\.|json: (?:cannot|unknown|invalid)|unmarshal|Go value|%!|desc =|rpc error|transport: |missing port|invalid character|stampede-corpus-|\.tokens-|\b1 (arguments|requests|sessions|files)\b|<nil>|\{\}`)

// wrongInputs are commands with something wrong in them, and what is to be said of
// it.
var wrongInputs = map[string][]struct{ args, want string }{
	"run --url http://127.0.0.1:9/v1 --model m --no-preflight --no-progress --out=": {
		{"--seed abc", `--seed: must be a whole number, got "abc"`},
		{"--seed 99999999999999999999", "--seed: must be a whole number of at most 64 bits"},
		{"--requests 1.5", `--requests: must be a whole number, got "1.5"`},
		{"--temperature hot", "--temperature: must be a number"},
		{"--stream=maybe", "--stream: must be true or false"},
		{"--duration 5x", "--duration: must be a duration such as 500ms, 30s or 1h30m"},
		{"--request-timeout soon", "--request-timeout: must be a duration such as 500ms, 30s or 1h30m"},
		{"--columns foo", "--columns: must be KEY=VALUE"},
		{"--rate=", "--rate: must not be empty"},
		{"--func=", "--func: must not be empty"},
		{"--trace=", "--trace: must not be empty"},
		{"--extra-body {", `--extra-body: must be a JSON object such as {"top_k": 40}, got "{"`},
		{"--extra-body [1]", `--extra-body: must be a JSON object such as {"top_k": 40}, got "[1]"`},
		{"--tools nothing.json", "dataset.tools: must be a number of tools, a JSON list of them, or a file that holds one"},
		{"--turns x", "dataset.chat.turns: must be a number such as"},
		{"--url", "--url needs a value"},
		{"--urll x", "there is no flag --urll"},
		{"-x", "there is no flag -x"},
		{"--dataset nothing.json", "dataset.path: there is no file nothing.json in "},
		{"--tokenizer nothing.json", `dataset.tokenizer: "nothing.json" is no file in `},
		{"--controller foo", `--controller: must be HOST:PORT, got "foo"`},
		{"--controller http://h:1", `--controller: must be HOST:PORT, got "http://h:1"`},
		{"--controller h:99999", `--controller: must be HOST:PORT, got "h:99999"`},
	},
	"run": {
		{"--url http://h:99999/v1", "endpoint.url: must be a base URL such as http://host:8000/v1, with a port from 1 to 65535"},
		{"-f nothing.yaml", "--file: there is no file nothing.yaml"},
		{"-f .", "--file: must be a file, . is a folder"},
		{"-f bytes", "bytes is no spec: control characters are not allowed"},
		{"-f empty", "empty is no spec: the document is empty"},
		{"", "--url is required"},
	},
	"controller": {
		{"--grpc-addr foo", `a listen address must be HOST:PORT, got "foo"`},
		{"--http-addr 127.0.0.1:99999", "a listen address must be HOST:PORT"},
		{"--dataset-dir nothing", "--dataset-dir: there is no folder nothing"},
		{"--dataset-dir empty", "--dataset-dir: must be a folder, empty is none"},
		{"--data-dir empty", "--data-dir: mkdir empty: "},
		{"--lease x", "--lease: must be a duration"},
		{"tokens --client nothing/x", "the file nothing/x: there is no folder nothing"},
		{"join-command --grpc-addr x", "--grpc-addr: must be HOST:PORT"},
	},
	"agent":   {{"--controller foo", "--controller: must be HOST:PORT"}, {"--allow-target [", "--allow-target: pattern"}, {"x", "takes no arguments"}},
	"health":  {{"--controller foo", "--controller: must be HOST:PORT"}},
	"compare": {{"nothing a", "there is no file nothing"}, {"empty empty", "empty: not a report"}, {"bytes bytes", "bytes: not a report: must be one JSON object"}, {"list list", "list: not a report"}},
	"dataset": {
		{"show", "takes 1 argument, got 0"}, {"foo", `has no command "foo"`}, {"show nothing", "there is no file nothing in "},
		{"show bytes", "bytes: holds bytes that are no text"}, {"show list -n x", "--number: must be a whole number"}, {"show list -n -1", "--number: must not be negative"},
		{"convert rows nothing/x", "the file nothing/x: there is no folder nothing"}, {"show list", "holds no conversation"},
	},
	"simulate": {{"--seed=-1", "--seed: must be a whole number, not negative"}, {"--slots x", "--slots: must be a whole number"}, {"--ttft x", "ttft"}},
	"foo":      {{"", `has no command "foo"`}},
	"register": {{"", "--url is required"}},
	"start":    {{"", "takes exactly one test or run id"}, {"x --controller h", "--controller: must be HOST:PORT"}},
}

func TestWrongInputIsSaidInWords(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, data := range map[string]string{"bytes": "\x00\x01\x02\n", "empty": "", "list": "[]", "rows": `{"prompt": "x"}`} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for command, inputs := range wrongInputs {
		for _, in := range inputs {
			args := append(strings.Fields(command), strings.Fields(in.args)...)
			var out, errs bytes.Buffer
			code := run(args, strings.NewReader(""), &out, &errs)
			if code != exitUsage || !strings.Contains(errs.String(), "stampede: error: ") || !strings.Contains(errs.String(), in.want) {
				t.Errorf("%s: exit %d, want %q in %s", strings.Join(args, " "), code, in.want, &errs)
			}
			if found := odd.FindString(errs.String()); found != "" {
				t.Errorf("%s: %q in %s", strings.Join(args, " "), found, &errs)
			}
		}
	}
}
