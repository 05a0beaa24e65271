package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// lawful are the exit codes of runs that have a report: a verdict other than
// valid is for the table to show.
var lawful = []int{0, 3}

// sendStampede runs all of Stampede in one process.
func sendStampede(ctx context.Context, b *bench, l load, dir, url string) (cost, string, error) {
	spec, err := l.writeSpec(dir, url)
	if err != nil {
		return cost{}, "", err
	}
	var env []string
	if l.TLS {
		env = []string{"SSL_CERT_FILE=" + caFile(dir)}
	}
	used, err := finish(ctx, env, lawful, b.stampede, "run", "-f", spec, "--out", dir, "--no-progress")
	return used, dir, err
}

// sendVegeta sends requests of the same form and size, at the same rate or with as
// many workers.
func sendVegeta(ctx context.Context, b *bench, l load, dir, url string) (cost, string, error) {
	if b.vegeta == "" {
		return cost{}, "", errMissing
	}
	body, err := l.body()
	if err != nil {
		return cost{}, "", err
	}
	target, err := json.Marshal(map[string]any{
		"method": "POST", "url": url + "/chat/completions", "body": base64.StdEncoding.EncodeToString(body),
		"header": map[string][]string{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return cost{}, "", err
	}
	targets := filepath.Join(dir, "targets.json")
	if err := os.WriteFile(targets, append(target, '\n'), 0o644); err != nil {
		return cost{}, "", err
	}
	args := []string{"attack", "-format=json", "-targets=" + targets, "-rate=" + strconv.Itoa(l.Rate),
		"-duration=" + l.Duration.String(), "-timeout=0", "-output=" + filepath.Join(dir, "results.bin")}
	if n := l.Concurrency; n > 0 {
		args = append(args, "-workers="+strconv.Itoa(n), "-max-workers="+strconv.Itoa(n))
	}
	if l.TLS {
		args = append(args, "-root-certs="+caFile(dir), "-http2="+strconv.FormatBool(l.HTTP2))
	}
	used, err := finish(ctx, nil, nil, b.vegeta, args...)
	return used, "", err
}

// sendWrk is the floor: it reads replies without looking inside.
func sendWrk(ctx context.Context, b *bench, l load, dir, url string) (cost, string, error) {
	if b.wrk == "" {
		return cost{}, "", errMissing
	}
	body, err := l.body()
	if err != nil {
		return cost{}, "", err
	}
	script := filepath.Join(dir, "post.lua")
	text := fmt.Sprintf("wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = [==[%s]==]\n", body)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		return cost{}, "", err
	}
	used, err := finish(ctx, nil, nil, b.wrk, "-t"+strconv.Itoa(min(2, runtime.NumCPU())), "-c"+strconv.Itoa(l.Concurrency),
		"-d"+strconv.Itoa(max(1, int(l.Duration.Seconds()))), "-s", script, url+"/chat/completions")
	return used, "", err
}
