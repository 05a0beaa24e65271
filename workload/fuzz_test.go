package workload

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"
)

// FuzzParse holds that no document makes Parse panic, that errors are Errors,
// and that what it accepts can be written and read again, to the same spec.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/contract.yaml", "testdata/seed_body.json"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{"", "{}", "a: &a [*a]", "{a: 1, <<: {b: 2}}", `{"endpoint":{"url":"http://h"},"load":{"stages":[{"rate":"inf","requests":"1"}]}}`,
		"endpoint: {url: http://h}\nsampling: {extra_body: {a: 0x1f, b: .5, c: [~, yes]}}", seedBody(`,"workload_range":[1,null]`, "", `"top_k":1e3`),
		`{"verdict":1,"spec":{"endpoint":{"url":"http://h"}}}`, "\xff\xfe", "? x", "!!binary x: 1", `{"endpoint":{"url":"http://h","headers":{"A":"\ud800"}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		MaskBody(data)
		s, _, err := Parse(data)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%T is no Errors: %v", err, err)
			}
			for _, e := range errs {
				e.Loc()
			}
			return
		}
		full, _ := s.WithDefaults()
		if err := full.Validate(); err != nil {
			t.Fatalf("completing made it invalid: %v", err)
		}
		roundTrip(t, s)
		roundTrip(t, full)
	})
}

func roundTrip(t *testing.T, s *Spec) {
	t.Helper()
	revealed, err := s.Reveal()
	if err != nil {
		t.Fatalf("Reveal: %v", err)
	}
	again, _, err := Parse(revealed)
	if err != nil {
		t.Fatalf("what was parsed can't be parsed again: %v\n%s", err, revealed)
	}
	if a, b := asJSON(t, s), asJSON(t, again); a != b {
		t.Fatalf("it became another spec\n%s\n%s", a, b)
	}
	file, err := s.YAML()
	if err != nil {
		t.Fatalf("YAML: %v", err)
	}
	masked, err := ParseDraft(file)
	if err != nil {
		t.Fatalf("its YAML can't be parsed: %v\n%s", err, file)
	}
	want := map[string]any{}
	if err := json.Unmarshal([]byte(asJSON(t, s)), &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal([]byte(asJSON(t, masked.Spec)), &got); err != nil {
		t.Fatal(err)
	}
	if key := s.Endpoint.APIKey; s.Endpoint.APIKeyEnv != "" && !key.Empty() {
		delete(want["endpoint"].(map[string]any), "api_key") // read again from its variable
		delete(got["endpoint"].(map[string]any), "api_key")
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("by YAML it became another spec\n%v\n%v\n%s", want, got, file)
	}
}

func TestRoundTrips(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, s)
	if s, _, err = Parse([]byte("endpoint: {url: http://h, headers: {}}\nlabels: {}\nsampling: {extra_body: {}}\nload: {}\nsessions: {}\nslo: {}\ngates: []")); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, s)
	s = secretive()
	delete(s.Endpoint.Headers, "Authorization") // beside a key it is an error
	roundTrip(t, s)
}
