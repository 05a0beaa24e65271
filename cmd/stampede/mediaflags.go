package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/workload"
)

// mediaFlags set what requests carry beside text, and which models they ask.
type mediaFlags struct {
	images, audio     string
	tools, toolChoice string
	modelMix          string
	batchSize         int
}

func (m *mediaFlags) add(f *pflag.FlagSet) {
	f.StringVar(&m.images, "images", "", "pictures in each synthetic message: `N[:WIDTHxHEIGHT[:jpeg|png]]`, such as 1:512x512 (the default size)")
	f.StringVar(&m.audio, "audio", "", "sounds in each synthetic message: `N[:DURATION]`, such as 1:5s (the default length)")
	f.StringVar(&m.tools, "tools", "", "tools to offer with every chat request: a `FILE` or text of JSON definitions, or how many to make up")
	f.StringVar(&m.toolChoice, "tool-choice", "", "which tool to call: auto, none, required or a name")
	f.StringVar(&m.modelMix, "model-mix", "", "models, such as LoRA adapters, of which each session draws one: `NAME[=WEIGHT],…`; takes the place of --model")
	f.IntVar(&m.batchSize, "batch-size", 0, "inputs of an embeddings request, documents of a rerank one (default 1)")
}

// media lays the flags over a spec, and puts a file of tools into it.
func (s *specFlags) media(spec *workload.Spec) (err error) {
	d := &spec.Dataset
	if s.images != "" {
		if d.Images, err = parseImages(s.images); err != nil {
			return flagError("images", err)
		}
	}
	if s.audio != "" {
		if d.Audio, err = parseAudio(s.audio); err != nil {
			return flagError("audio", err)
		}
	}
	setString(&d.Tools, s.tools)
	setString(&d.ToolChoice, s.toolChoice)
	if s.batchSize != 0 {
		d.BatchSize = s.batchSize
	}
	if s.modelMix != "" {
		if spec.Endpoint.Models, err = parseMix(s.modelMix); err != nil {
			return flagError("model-mix", err)
		}
	}
	return inlineTools(d)
}

// inlineTools replaces the name of a file by what it holds.
func inlineTools(d *workload.Dataset) error {
	text := strings.TrimSpace(d.Tools)
	if _, err := strconv.Atoi(text); err == nil || text == "" || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		return nil
	}
	data, err := readLengths(text)
	if err != nil {
		return workload.Errors{{Path: "dataset.tools", Message: fmt.Sprintf("must be a number of tools, a JSON list of them, or a file that holds one, got %q: %v", text, err)}}
	}
	d.Tools = strings.TrimSpace(string(data))
	return nil
}

func parseImages(text string) (*workload.Images, error) {
	const form = "must be N, N:WIDTHxHEIGHT or N:WIDTHxHEIGHT:FORMAT, such as 1:512x512:png, got %q"
	parts := strings.Split(text, ":")
	var i workload.Images
	var err error
	if i.Count, err = strconv.Atoi(parts[0]); err != nil || len(parts) > 3 {
		return nil, fmt.Errorf(form, text)
	}
	if len(parts) > 1 {
		width, height, ok := strings.Cut(parts[1], "x")
		w, err1 := strconv.Atoi(width)
		h, err2 := strconv.Atoi(height)
		if !ok || err1 != nil || err2 != nil {
			return nil, fmt.Errorf(form, text)
		}
		i.Width, i.Height = w, h
	}
	if len(parts) > 2 {
		i.Format = parts[2]
	}
	return &i, nil
}

func parseAudio(text string) (*workload.Audio, error) {
	const form = "must be N or N:DURATION, such as 1:5s, got %q"
	count, length, timed := strings.Cut(text, ":")
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil, fmt.Errorf(form, text)
	}
	a := &workload.Audio{Count: n}
	if timed {
		d, err := time.ParseDuration(length)
		if err != nil {
			return nil, fmt.Errorf(form, text)
		}
		a.Duration = workload.Duration(d)
	}
	return a, nil
}

func parseMix(text string) ([]workload.ModelShare, error) {
	var list []workload.ModelShare
	for part := range strings.SplitSeq(text, ",") {
		m := workload.ModelShare{Name: strings.TrimSpace(part)}
		if i := strings.LastIndexByte(part, '='); i >= 0 {
			w, err := strconv.ParseFloat(strings.TrimSpace(part[i+1:]), 64)
			if err != nil {
				return nil, fmt.Errorf("must be NAME or NAME=WEIGHT with commas between them, got %q", part)
			}
			m.Name, m.Weight = strings.TrimSpace(part[:i]), &w
		}
		list = append(list, m)
	}
	return list, nil
}
