package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/simulate"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// openTokenizer loads the tokenizer that a name means on this host.
func openTokenizer(name string) (*tokenizer.Tokenizer, error) {
	d := workload.Dataset{Tokenizer: name}
	data, err := gather.Env{Lookup: os.LookupEnv}.Tokenizer(context.Background(), d, gather.OpenHere)
	if err != nil {
		return nil, err
	}
	hash := ""
	if data != nil {
		sum := sha256.Sum256(data)
		hash = hex.EncodeToString(sum[:])
	}
	t, err := tokenizer.Shared(name, hash, func(string) ([]byte, error) { return data, nil })
	if err != nil {
		return nil, workload.Errors{{Path: "dataset.tokenizer", Message: err.Error()}}
	}
	return t, nil
}

// localTokens is the tokenizer of a spec that is planned here; nil for none.
func localTokens(d workload.Dataset) (dataset.Tokens, error) {
	switch d.Tokenizer {
	case "":
		return nil, nil
	case workload.TokenizerServer:
		return nil, usageError(errors.New("the server's tokenizer is asked when a run starts, which plan doesn't do"), "give a tokenizer by name or file")
	}
	return openTokenizer(d.Tokenizer)
}

// tokensFlag sets the simulator's tokenizer.
type tokensFlag struct{ config *simulate.Config }

func (f tokensFlag) String() string { return "" }
func (f tokensFlag) Type() string   { return "string" }

func (f tokensFlag) Set(name string) error {
	t, err := openTokenizer(name)
	if err != nil {
		return err
	}
	f.config.Tokenizer = t
	return nil
}
