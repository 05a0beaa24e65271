package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
)

// engines are the kinds of engine by what stands in owned_by of their models.
var engines = map[string]string{
	"vllm": "vllm", "sglang": "sglang", "llamacpp": "llama.cpp", "library": "ollama", "ollama": "ollama",
	"tgi": "tgi", "tensorrt_llm": "tensorrt-llm", "lmdeploy": "lmdeploy", "openai": "openai", "system": "openai",
}

// versions are where engines tell their version, and under which key.
var versions = []struct{ engine, path, key string }{
	{"", "/version", "version"}, // vLLM, and others after it
	{"sglang", "/get_server_info", "version"},
	{"llama.cpp", "/props", "build_info"},
	{"ollama", "/api/version", "version"},
	{"tgi", "/info", "version"},
}

// facts collects what the endpoint tells of itself; nothing depends on it.
func (p *probe) facts(ctx context.Context, client prober) {
	for _, m := range p.models {
		if engine, known := engines[strings.ToLower(m.OwnedBy)]; known {
			p.result.Engine = engine
			break
		}
	}
	if t := workload.CanonicalType(p.spec.Endpoint.Type); p.result.GetEngine() == "" && t != workload.TypeOpenAI {
		p.result.Engine = t
	}
	for _, v := range versions {
		if v.engine != "" && v.engine != p.result.GetEngine() {
			continue
		}
		reply, err := get(ctx, client, v.path)
		if err != nil {
			continue
		}
		if text := member(reply.Body, v.key); text != "" {
			p.result.ServerVersion = text
			return
		}
	}
}

// member is a string member of a JSON object, or nothing.
func member(data []byte, key string) string {
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return ""
	}
	text, _ := object[key].(string)
	return text
}

// hint says what to do about a failure of the kind.
func hint(kind string, spec *workload.Spec, models []string) string {
	e := spec.Endpoint
	switch kind {
	case target.HTTPKind(401), target.HTTPKind(403):
		return keyHint(e)
	case target.HTTPKind(400), target.HTTPKind(404), target.HTTPKind(422):
		return modelHint(e, models)
	case target.HTTPKind(405), target.KindHTML, target.KindRedirect:
		return fmt.Sprintf("is the path right? %s should be the base of the API, which usually ends in /v1", e.URL)
	case target.HTTPKind(429):
		return "the endpoint limits the rate of this key; wait, or ask for less"
	case target.KindRefused, target.KindClosed:
		return fmt.Sprintf("is the server up at %s, as seen from the agent's host?%s", e.URL, waitHint(spec))
	case target.KindDNS:
		return fmt.Sprintf("the agent's host cannot resolve the host in %s", e.URL)
	case target.KindForbidden:
		return "an agent dials what its --allow-target covers, and metadata addresses never"
	case target.KindTLS:
		return "is it https at all, and is its certificate signed by an authority that the agent's host knows?"
	case target.KindNoStream:
		return "the endpoint does not stream; --stream=false measures without TTFT"
	case target.KindConnect, target.KindTimeoutConnect:
		return fmt.Sprintf("can the agent's host reach %s? A firewall may be in the way", e.URL)
	}
	if strings.HasPrefix(kind, "http_5") {
		return "the endpoint itself failed; its log will say why." + waitHint(spec)
	}
	if strings.HasPrefix(kind, "timeout_") {
		return "the endpoint did not answer in time; limits.request_timeout bounds a request"
	}
	return ""
}

func keyHint(e workload.Endpoint) string {
	switch {
	case e.APIKey.Empty() && e.APIKeyEnv == "":
		return "the endpoint wants a key: --api-key-env NAME takes it from that environment variable"
	case e.APIKey.Empty():
		return fmt.Sprintf("the endpoint wants a key, but %s is empty", e.APIKeyEnv)
	case e.APIKeyEnv != "":
		return fmt.Sprintf("the key in %s was refused", e.APIKeyEnv)
	}
	return "the key was refused"
}

// waitHint is said to those who did not wait.
func waitHint(spec *workload.Spec) string {
	if spec.WaitReady > 0 {
		return ""
	}
	return " --wait-ready 120s waits for it"
}

func modelHint(e workload.Endpoint, models []string) string {
	const shown = 10
	if len(models) == 0 && bare(e.URL) {
		return fmt.Sprintf("did you mean %s/v1? The URL should be the base of the API", strings.TrimSuffix(e.URL, "/"))
	}
	if len(models) == 0 && e.Model == "" {
		return fmt.Sprintf("check the path (%s should be the base of the API, which usually ends in /v1), or name the model with --model", e.URL)
	}
	if len(models) == 0 {
		return fmt.Sprintf("check the path (%s should be the base of the API, which usually ends in /v1) and the model %q", e.URL, e.Model)
	}
	list := strings.Join(models[:min(len(models), shown)], ", ")
	if len(models) > shown {
		list += fmt.Sprintf(" and %d more", len(models)-shown)
	}
	return fmt.Sprintf("the endpoint lists these models: %s", list)
}

// bare reports whether a URL ends with its host.
func bare(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == ""
}
