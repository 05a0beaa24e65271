package docs

import (
	"strings"
	"testing"
)

const sample = "# A\n\nWords.\n\n## B\n\n```sh\necho one\necho two\n```\n```output\none\n…o\n```\n\n### C\n\n" +
	"Not run by the tests: it needs a\nGPU.\n\n```sh not-run\nnvidia-smi\n```\n\n## D\n```sh exit=4 fresh model=8001 needs=false\nfalse\n```\n```yaml\n# not a heading\n```\n"

func TestBlocks(t *testing.T) {
	found, err := blocks(sample)
	if err != nil || len(found) != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	a, b, c := found[0], found[1], found[2]
	if a.line != 7 || a.text != "echo one\necho two\n" || strings.Join(a.output, "|") != "one|…o" || a.notRun {
		t.Errorf("%+v", a)
	}
	if !b.notRun || c.exit != 4 || !c.fresh || c.model != "8001" || c.needs != "false" {
		t.Errorf("%+v\n%+v", b, c)
	}
}

func TestBlocksThatAreRefused(t *testing.T) {
	for page, want := range map[string]string{
		"x\n```\nls\n```\n":                  "line 2: the block needs a language",
		"```sh\nls\n":                        "line 1: the block does not end",
		"```sh exit=x\nls\n```\n":            `line 1: "exit=x" has no meaning`,
		"```bash\nls\n```\n":                 "line 1: commands stand in blocks of sh",
		"```output\nls\n```\n":               "line 1: nothing was run",
		"Words.\n\n```sh not-run\nls\n```\n": "line 3: a block that is not run needs a paragraph",
		"Not run by the tests: x.\n\nWords.\n```sh not-run\nls\n```\n": "line 4: a block that is not run",
	} {
		if _, err := blocks(page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}

func TestSection(t *testing.T) {
	for heading, want := range map[string]int{"": 3, "# A": 3, "## B": 2, "### C": 1, "## D": 1} {
		part, err := section(sample, heading)
		if err != nil {
			t.Fatal(err)
		}
		found, err := blocks(part)
		if err != nil || len(found) != want {
			t.Errorf("%q: %d blocks, %v, want %d", heading, len(found), err, want)
		}
		if heading == "## D" && found[0].line != 26 {
			t.Errorf("its block stands in line %d", found[0].line)
		}
	}
	if _, err := section(sample, "## E"); err == nil {
		t.Error("a heading that is not there was found")
	}
}

func TestMissing(t *testing.T) {
	for _, tt := range []struct{ wanted, printed, want string }{
		{"a|c", "a\nb\nc\n", ""},
		{"c|a", "a\nb\nc\n", "a"},
		{"a … (z)", "x\n a b c (z)\n", ""},
		{"a", "ab\n", "a"},
	} {
		if got := missing(strings.Split(tt.wanted, "|"), tt.printed); got != tt.want {
			t.Errorf("%q in %q: %q, want %q", tt.wanted, tt.printed, got, tt.want)
		}
	}
}
