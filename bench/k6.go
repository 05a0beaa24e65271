package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// slowReply is what a reply is taken to last beyond its script, when k6 is told how
// many of its users to make ready.
const slowReply = 50 * time.Millisecond

// sendK6 sends requests of the same form and size from k6's users: each sends one,
// reads its whole reply, and then the next that is due, or without a pause.
func sendK6(ctx context.Context, b *bench, l load, dir, url string) (cost, string, error) {
	if b.k6 == "" {
		return cost{}, "", errMissing
	}
	script, err := l.k6Script(url)
	if err != nil {
		return cost{}, "", err
	}
	path := filepath.Join(dir, "load.js")
	if err := os.WriteFile(path, script, 0o644); err != nil {
		return cost{}, "", err
	}
	// Neither a port for its API, nor a word to its makers, nor a look for extensions.
	used, err := finish(ctx, []string{"K6_AUTO_EXTENSION_RESOLUTION=false"}, nil, b.k6, "run", "--quiet", "--no-summary", "--no-usage-report", "--address=", path)
	return used, "", err
}

// k6Script is the load in k6's words.
func (l *load) k6Script(url string) ([]byte, error) {
	body, err := l.body()
	if err != nil {
		return nil, err
	}
	scenario := map[string]any{"duration": l.Duration.String(), "gracefulStop": "10s"}
	if l.Concurrency > 0 {
		scenario["executor"], scenario["vus"] = "constant-vus", l.Concurrency
	} else {
		ready := int(float64(l.Rate)*(l.TTFT+time.Duration(l.Tokens)*l.ITL+slowReply).Seconds()) + 1
		scenario["executor"], scenario["rate"], scenario["timeUnit"] = "constant-arrival-rate", l.Rate, "1s"
		scenario["preAllocatedVUs"], scenario["maxVUs"] = ready, 4*ready
	}
	options, err := json.Marshal(map[string]any{"scenarios": map[string]any{"load": scenario}, "insecureSkipTLSVerify": l.TLS})
	if err != nil {
		return nil, err
	}
	to, err := json.Marshal([]string{url + "/chat/completions", string(body)})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `import http from 'k6/http';
export const options = %s;
const [url, body] = %s;
const params = {headers: {'Content-Type': 'application/json'}, timeout: '600s'};
export default function () { http.post(url, body, params); }
`, options, to), nil
}
