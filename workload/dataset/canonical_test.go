package dataset

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"pgregory.net/rapid"
)

func TestCanonicalBody(t *testing.T) {
	temperature := 0.5
	s := Session{Turns: []Turn{
		{Messages: []Message{{Role: "system", Content: "Be \"kind\"."}, {Role: "user", Content: "Hi <b>\n"}}},
		{Messages: []Message{{Role: "user", Content: "Bye, Zoë"}}, Answer: "not this"},
	}}
	got := string(CanonicalBody(s, 1, workload.Sampling{Temperature: &temperature, ExtraBody: workload.ExtraBody{"z": 1, "a": "x"}}, 7))
	want := `{"messages":[{"role":"system","content":"Be \"kind\"."},{"role":"user","content":"Hi \u003cb\u003e\n"},` +
		`{"role":"assistant"},{"role":"user","content":"Bye, Zoë"}],"output_tokens":7,` +
		`"sampling":{"temperature":0.5,"extra_body":{"a":"x","z":1}}}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCanonicalBodyHoldsNoSecret(t *testing.T) {
	p := workload.Sampling{ExtraBody: workload.ExtraBody{"api_key": "sk-marked", "nested": map[string]any{"token": "sk-marked"}}}
	if got := string(CanonicalBody(Session{}, 0, p, 0)); strings.Contains(got, "marked") {
		t.Errorf("got %s", got)
	}
}

func TestCanonicalBodyIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		s := Session{Turns: []Turn{{Messages: []Message{{Role: "user", Content: text}}}}}
		var parsed struct{ Messages []Message }
		if err := json.Unmarshal(CanonicalBody(s, 0, workload.Sampling{}, 0), &parsed); err != nil {
			t.Fatal(err)
		}
		if got := parsed.Messages[0].Content; got != strings.ToValidUTF8(text, "\ufffd") {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}
