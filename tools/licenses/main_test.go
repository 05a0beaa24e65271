package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for text, want := range map[string][]string{
		"Apache License\n  Version 2.0, January 2004":                                                                              {"Apache-2.0"},
		"Licensed under the Apache License,\n# Version 2.0":                                                                        {"Apache-2.0"},
		"Permission is hereby granted, free of charge, to any\nperson obtaining a copy":                                            {"MIT"},
		"Redistribution and use in source and binary forms, with or without\n * modification, are permitted … Neither the name of": {"BSD-3-Clause"},
		"Redistribution and use in source and binary forms, with or without modification, are permitted provided":                  {"BSD-2-Clause"},
		"Permission to use, copy, modify, and distribute this software for any\npurpose with or without fee is hereby granted":     {"ISC"},
		"Mozilla Public License Version 2.0":                                                                                       {"MPL-2.0"},
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                                                     nil,
		"All rights reserved.":                                                                                                     nil,
	} {
		if got := classify(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAModuleWithoutAKnownLicenceIsRefused(t *testing.T) {
	dir := t.TempDir()
	m := module{Path: "example.org/m", Dir: dir}
	if err := m.read(); err == nil || !strings.Contains(err.Error(), "example.org/m") {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "COPYING.txt"), []byte("GNU GENERAL PUBLIC LICENSE"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.read(); err == nil {
		t.Error("under the GPL: taken")
	}
}

// The committed list is that of the tree, and all texts are there.
func TestTheListIsOfTheTree(t *testing.T) {
	root := filepath.Join("..", "..")
	want, err := os.ReadFile(filepath.Join(root, "docs", "licenses.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got, texts bytes.Buffer
	if err := run(&got, root, false); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("docs/licenses.md is out of date: run make licenses and commit it\n%s", got.String())
	}
	if err := run(&texts, root, true); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"google.golang.org/grpc v", "github.com/spf13/cobra v"} {
		if !strings.Contains(texts.String(), module) {
			t.Errorf("no text of %s", module)
		}
	}
}
