package docs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// block is a fenced block of a page.
type block struct {
	line     int // of its fence, from 1
	language string
	text     string
	exit     int    // status it must end with
	fresh    bool   // end the servers before
	model    string // port of a simulated model server, or empty
	notRun   bool
	needs    string   // program without which it is not run, or empty
	output   []string // patterns of lines it prints
}

// notRunText begins the paragraph before a block that is not run.
const notRunText = "Not run by the tests:"

// section returns the part of a page under a heading, such as "### Many hosts",
// up to the next one of the same or a higher level, with the lines before it
// blanked so that line numbers stay. An empty heading is the whole page.
func section(page, heading string) (string, error) {
	if heading == "" {
		return page, nil
	}
	level := strings.Repeat("#", len(heading)-len(strings.TrimLeft(heading, "#")))
	var out strings.Builder
	inside, fenced := false, false
	for line := range strings.Lines(page) {
		text := strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(text, "```"):
			fenced = !fenced
		case fenced:
		case text == heading:
			inside = true
		case inside && isHeading(text, len(level)):
			return out.String(), nil
		}
		if inside {
			out.WriteString(line)
		} else {
			out.WriteByte('\n')
		}
	}
	if !inside {
		return "", fmt.Errorf("there is no heading %q", heading)
	}
	return out.String(), nil
}

func isHeading(line string, most int) bool {
	level := len(line) - len(strings.TrimLeft(line, "#"))
	return level > 0 && level <= most && strings.HasPrefix(line[level:], " ")
}

// blocks finds the blocks of a page; an error names the line.
func blocks(page string) ([]block, error) {
	var found []block
	var current *block
	var paragraph, last string // the paragraph being read, and the one before
	for n, line := range strings.Split(page, "\n") {
		line = strings.TrimRight(line, "\r")
		fence, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case current != nil && isFence:
			var err error
			if found, err = closed(found, *current); err != nil {
				return nil, err
			}
			current, paragraph, last = nil, "", ""
		case current != nil:
			current.text += line + "\n"
		case isFence:
			b, err := opened(n+1, fence)
			if err != nil {
				return nil, err
			}
			if said := strings.TrimLeft(paragraph+last, "_*("); b.notRun && !strings.HasPrefix(said, notRunText) {
				return nil, fmt.Errorf("line %d: a block that is not run needs a paragraph before it that begins with %q", n+1, notRunText)
			}
			current = &b
		case strings.TrimSpace(line) == "":
			if paragraph != "" {
				last, paragraph = paragraph, ""
			}
		default:
			if paragraph == "" {
				last = ""
			}
			paragraph += line + " "
		}
	}
	if current != nil {
		return nil, fmt.Errorf("line %d: the block does not end", current.line)
	}
	return found, nil
}

// opened reads what stands behind the fence.
func opened(line int, info string) (block, error) {
	words := strings.Fields(info)
	if len(words) == 0 {
		return block{}, fmt.Errorf("line %d: the block needs a language: sh when it is run, text when it is not one to run", line)
	}
	b := block{line: line, language: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		_, err := strconv.ParseUint(value, 10, 16)
		switch {
		case key == "exit" && err == nil:
			b.exit, _ = strconv.Atoi(value)
		case key == "model" && err == nil:
			b.model = value
		case key == "needs" && value != "":
			b.needs = value
		case w == "fresh":
			b.fresh = true
		case w == "not-run":
			b.notRun = true
		case b.language == "sh" || b.language == "go":
			return b, fmt.Errorf("line %d: %q has no meaning behind %s; it may be exit=N, model=PORT, needs=PROGRAM, fresh or not-run", line, w, b.language)
		}
	}
	return b, nil
}

// closed adds a block, or what it should print to the one before.
func closed(found []block, b block) ([]block, error) {
	switch b.language {
	case "sh", "go":
		return append(found, b), nil
	case "output":
		if len(found) == 0 {
			return nil, fmt.Errorf("line %d: nothing was run that could have printed this", b.line)
		}
		last := &found[len(found)-1]
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); line != "" {
				last.output = append(last.output, line)
			}
		}
	case "bash", "shell", "console", "shell-session":
		return nil, fmt.Errorf("line %d: commands stand in blocks of sh, got %s", b.line, b.language)
	}
	return found, nil
}

// missing returns the first of the wanted lines that is not among what was
// printed, in their order, or "".
func missing(wanted []string, printed string) string {
	lines := strings.Split(printed, "\n")
	for _, want := range wanted {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*") + "$")
		at := -1
		for i, line := range lines {
			if pattern.MatchString(strings.TrimSpace(line)) {
				at = i
				break
			}
		}
		if at < 0 {
			return want
		}
		lines = lines[at+1:]
	}
	return ""
}
