package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stampede-bench/stampede/internal/secret"
)

const marked = "s3kr3t"

// secretive has the marked secret everywhere where a spec may have one.
func secretive() *Spec {
	s := valid()
	s.Endpoint.APIKey = secret.New("AK-" + marked + "|SK-" + marked)
	s.Endpoint.Headers = Headers{"Authorization": "Bearer " + marked, "X-Api-Key": marked + "2", "X-Plain": "Basic " + marked + "3", "Cookie": "a=" + marked, "X-Fine": "visible"}
	s.Dataset.HubToken = secret.New("hf_" + marked)
	s.Sampling.ExtraBody = ExtraBody{"user_token": marked + "4", "max_tokens_hint": "visible", "nested": map[string]any{"password": marked + "5", "list": []any{map[string]any{"secret": marked + "6"}}},
		"credentials": map[string]any{"user": marked + "7", "pin": []any{marked + "8"}}}
	return s
}

func TestSecretsAreNeverShown(t *testing.T) {
	s := secretive()
	full, _ := s.WithDefaults()
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10v", "%-10.3s", "%#x"} {
		for name, v := range map[string]any{"spec": *s, "pointer": s, "full": full, "endpoint": s.Endpoint, "headers": s.Endpoint.Headers,
			"body": s.Sampling.ExtraBody, "sampling": s.Sampling, "key": s.Endpoint.APIKey, "list": []any{s.Endpoint.Headers, s.Endpoint}} {
			shown[name+" "+verb] = fmt.Sprintf(verb, v)
		}
	}
	shown["strings"] = s.Endpoint.Headers.String() + s.Sampling.ExtraBody.String() + s.Endpoint.APIKey.String()
	shown["json"] = asJSON(t, s) + asJSON(t, *s) + asJSON(t, s.Endpoint) + asJSON(t, s.Endpoint.Headers) + asJSON(t, s.Sampling) + asJSON(t, map[string]any{"a": []any{s}})
	shown["own yaml"] = string(must(t)(s.YAML()))
	shown["yaml"] = string(must(t)(yaml.Marshal(s)))
	for _, h := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(h(&b)).Info("run", "spec", s, "value", *s, "headers", s.Endpoint.Headers, "body", s.Sampling.ExtraBody, "key", s.Endpoint.APIKey)
		shown[fmt.Sprintf("log %d", b.Len())] = b.String()
	}
	hexMarked := fmt.Sprintf("%x", marked)
	for how, text := range shown {
		if strings.Contains(text, marked) || strings.Contains(strings.ToLower(text), hexMarked) {
			t.Errorf("%s shows a secret: %s", how, text)
		}
	}
	for _, how := range []string{"json", "own yaml", "spec %v", "headers %v"} {
		if !strings.Contains(shown[how], "visible") {
			t.Errorf("%s hides what is no secret: %s", how, shown[how])
		}
	}
}

func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestErrorsNeverShowSecrets(t *testing.T) {
	for _, text := range []string{
		`{"endpoint":{"api_key":["s3kr3t"],"headers":{"Authorization":{"a":"s3kr3t"},"X-Api-Key":["s3kr3t"]}}}`,
		`{"endpoint":{"url":"http://me:s3kr3t@host","api_key_env":"s3kr3t-!"}}`,
		`{"endpoint":{"url":"http://host/?key=s3kr3t"}}`,
		`{"endpoint":{"url":"//me:s3kr3t@host","api_key":"s3kr3t\n"}}`,
		`{"endpoint":{"url":"http://host:x?key=s3kr3t"}}`,
		`{"endpoint":{"headers":{"a b":"s3kr3t","X-Y":"s3kr3t\u0000"}}}`,
		`{"endpoint":{"apikey":"s3kr3t","api_kee":"s3kr3t"},"hub_token":"s3kr3t"}`,
		`{"sampling":{"extra_body":{"my_key":1e999,"secret":18446744073709551615}}}`,
		`{"url":"http://u:s3kr3t@h","model":"m","dataset_name":"synthesizer","endpoint_type":"vllm","key":["s3kr3t"],"kwargs":{"hf_auth_key":["s3kr3t"],"api_key":"s3kr3t"}}`,
		`{"url":"http://h","model":"m","dataset_name":"synthesizer","endpoint_type":"aws","key":"s3kr3t","kwargs":{"api_key":"s3kr3t2"}}`,
	} {
		_, err := ParseFull([]byte(text))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), marked) {
			t.Errorf("%s: got %#v, want an error without the secret", text, err)
		}
	}
}

func TestReveal(t *testing.T) {
	var back struct {
		Endpoint struct {
			APIKey  string `json:"api_key"`
			Headers map[string]string
		}
		Dataset struct {
			HubToken string `json:"hub_token"`
		}
		Sampling struct {
			ExtraBody map[string]any `json:"extra_body"`
		}
	}
	s := secretive()
	if err := json.Unmarshal(must(t)(s.Reveal()), &back); err != nil {
		t.Fatal(err)
	}
	if back.Endpoint.APIKey != s.Endpoint.APIKey.Reveal() || back.Dataset.HubToken != "hf_"+marked ||
		!reflect.DeepEqual(back.Endpoint.Headers, map[string]string(s.Endpoint.Headers)) || !reflect.DeepEqual(back.Sampling.ExtraBody, map[string]any(s.Sampling.ExtraBody)) {
		t.Errorf("got %+v", back)
	}
}

func TestSecretsAndRedact(t *testing.T) {
	s := secretive()
	s.Endpoint.Headers["X-Token"] = `quo"ted`
	secrets := Secrets(s)
	for _, want := range []string{marked, marked + "2", marked + "3", "Bearer " + marked, "AK-" + marked, "SK-" + marked, marked + "5", marked + "6", marked + "7", marked + "8", "hf_" + marked, `quo\"ted`} {
		if !slices.Contains(secrets, want) {
			t.Errorf("Secrets lacks %q", want)
		}
	}
	if slices.Contains(secrets, "visible") || !slices.IsSortedFunc(secrets, func(a, b string) int { return len(b) - len(a) }) {
		t.Errorf("Secrets = %q", secrets)
	}
	text := `401 {"error":"key AK-s3kr3t|SK-s3kr3t, Bearer s3kr3t or s3kr3t6, quo\"ted is wrong"}`
	if got, want := Redact(text, secrets), `401 {"error":"key ***, *** or ***, *** is wrong"}`; got != want {
		t.Errorf("Redact = %s, want %s", got, want)
	}
	s = valid()
	s.Endpoint.APIKey = secret.New("EMPTY")
	s.Endpoint.Headers = Headers{"X-Key": "abc"}
	if got := Secrets(s); len(got) != 0 {
		t.Errorf("Secrets = %q, want none: EMPTY is no secret, and abc is too short to look for", got)
	}
	if got := asJSON(t, s); !strings.Contains(got, `"api_key":"EMPTY"`) {
		t.Errorf("EMPTY is no secret, got %s", got)
	}
}

func TestIsSecretName(t *testing.T) {
	for _, name := range []string{"Authorization", "authorization", "Proxy-Authorization", "key", "api_key", "apiKey", "apikey", "X-Api-Key", "Ocp-Apim-Subscription-Key",
		"hf_auth_key", "X-Auth-Token", "token", "access_token", "accessToken", "hub_token", "X-Amz-Security-Token", "refresh_token", "secret", "client_secret", "CLIENT_SECRET",
		"password", "db.password", "passwd", "passphrase", "Cookie", "Set-Cookie", "session_cookie", "credentials", "bearer", "jwt", "X-Signature", "aws_access_key_id", "private_key", "auth", "keys"} {
		if !IsSecretName(name) {
			t.Errorf("%q must be taken for a secret's name", name)
		}
	}
	for _, name := range []string{"", "max_tokens", "maxTokens", "max_completion_tokens", "tokens_per_word", "input_tokens", "output_tokens", "tokenizer", "min_tokens", "stop_token_ids",
		"eos_token_id", "eos_token", "bos_token", "allowed_token_ids", "logit_bias", "skip_special_tokens", "return_token_ids", "prompt_cache_key", "keyword", "keywords", "monkey", "turkey",
		"api_key_env", "token-file", "temperature", "model", "url", "author", "authors", "key_value_cache", "thinking_token_budget", "Content-Type", "User-Agent", "secretary_count", "per_output_token"} {
		if IsSecretName(name) {
			t.Errorf("%q must not be taken for a secret's name", name)
		}
	}
}
