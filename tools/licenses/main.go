// Command licenses lists the licences of what is linked into the binary, on any
// of its platforms, and refuses what it does not know. It judges no compatibility
// beyond that list.
//
//	go run ./licenses -root .. > ../docs/licenses.md
//	go run ./licenses -root .. -texts > THIRD_PARTY.txt
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	root := flag.String("root", "..", "`DIR` of the module")
	texts := flag.Bool("texts", false, "print the licences' texts, for those who pass the binary on")
	flag.Parse()
	if err := run(os.Stdout, *root, *texts); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, root string, texts bool) error {
	modules, err := linked(root)
	if err != nil {
		return err
	}
	var problems []error
	for i := range modules {
		problems = append(problems, modules[i].read())
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if texts {
		return writeTexts(w, modules)
	}
	return writeTable(w, modules)
}

// module is one that is linked.
type module struct {
	Path, Version, Dir string
	licenses           []string
	files              []file
}

type file struct{ name, text string }

// linked lists the modules that the binary is made of beside the main one.
func linked(root string) ([]module, error) {
	found := map[string]module{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/stampede")
		cmd.Dir, cmd.Env, cmd.Stderr = root, append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0"), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", goos, err)
		}
		for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p struct {
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if m := p.Module; m != nil && !m.Main {
				found[m.Path] = module{Path: m.Path, Version: m.Version, Dir: m.Dir}
			}
		}
	}
	all := make([]module, 0, len(found))
	for _, m := range found {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

var licenseFile = regexp.MustCompile(`(?i)^(li[cs]en[cs]e|copying|copyright|notice|unlicense|ofl)([-._].*)?$`)

// read finds a module's licence files and names their licences.
func (m *module) read() error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	for _, e := range entries {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		m.files = append(m.files, file{e.Name(), string(text)})
		for _, name := range classify(string(text)) {
			if !slices.Contains(m.licenses, name) {
				m.licenses = append(m.licenses, name)
			}
		}
	}
	if len(m.licenses) == 0 {
		return fmt.Errorf("%s: no licence that is known here in %s", m.Path, m.Dir)
	}
	slices.Sort(m.licenses)
	return nil
}

// known licences by a sentence that stands in no other; all of them may be linked
// into a program under Apache-2.0 and passed on with their texts.
var known = []struct{ name, sentence string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"MPL-2.0", "mozilla public license, version 2.0"},
	{"OFL-1.1", "sil open font license, version 1.1"},
	{"OFL-1.1", "sil open font license version 1.1"},
	{"FTL", "your choice of exactly one of the following two licenses: the freetype license"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"CC0-1.0", "cc0 1.0 universal"},
}

var space = regexp.MustCompile(`[\s*#/>]+`)

// classify names the licences that a text holds.
func classify(text string) []string {
	flat := space.ReplaceAllString(strings.ToLower(text), " ")
	flat = strings.ReplaceAll(flat, "apache license, version 2.0", "apache license version 2.0")
	var names []string
	for _, k := range known {
		if strings.Contains(flat, k.sentence) && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	if strings.Contains(flat, "redistribution and use in source and binary forms, with or without modification, are permitted") {
		if strings.Contains(flat, "neither the name") || strings.Contains(flat, "names of its contributors may be used to endorse") {
			names = append(names, "BSD-3-Clause")
		} else {
			names = append(names, "BSD-2-Clause")
		}
	}
	return names
}

func writeTable(w io.Writer, modules []module) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Licences of what is linked\n\nMade by `make licenses`; `make checklicenses` fails when it is out of date. Releases carry the texts in\n`THIRD_PARTY.txt`. Tools and tests are not listed: they are in modules of their own and linked into nothing.\n\n")
	fmt.Fprintf(&b, "%d modules are linked into the binary on at least one platform.\n\n| module | licence |\n| --- | --- |\n", len(modules))
	for _, m := range modules {
		fmt.Fprintf(&b, "| %s | %s |\n", m.Path, strings.Join(m.licenses, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTexts(w io.Writer, modules []module) error {
	var b strings.Builder
	b.WriteString("Stampede contains these modules under their own licences.\n")
	for _, m := range modules {
		for _, f := range m.files {
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%s\n\n%s\n", strings.Repeat("=", 80), m.Path, m.Version, f.name, strings.Repeat("=", 80), strings.TrimSpace(f.text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
