package workload

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// revealed shadows the masking fields of Spec by plain ones.
type revealed struct {
	*Spec
	Endpoint revealedEndpoint `json:"endpoint"`
	Dataset  revealedDataset  `json:"dataset,omitzero"`
	Sampling revealedSampling `json:"sampling,omitzero"`
}

type revealedEndpoint struct {
	plainEndpoint
	Headers map[string]string `json:"headers,omitempty"`
	APIKey  string            `json:"api_key,omitempty"`
}

type revealedDataset struct {
	Dataset
	HubToken string `json:"hub_token,omitempty"`
}

type revealedSampling struct {
	Sampling
	ExtraBody map[string]any `json:"extra_body,omitempty"`
}

// plainEndpoint is an Endpoint without its methods.
type plainEndpoint Endpoint

// noKey is what the seed sends as a key when there is none. It is no secret, and
// is shown, so that a run can be repeated from its report.
const noKey = "EMPTY"

// MarshalJSON writes the endpoint, secrets masked.
func (e Endpoint) MarshalJSON() ([]byte, error) {
	if e.APIKey.Reveal() != noKey {
		return json.Marshal(plainEndpoint(e))
	}
	return json.Marshal(struct {
		plainEndpoint
		APIKey string `json:"api_key"`
	}{plainEndpoint(e), noKey})
}

// Reveal returns the spec as JSON with its secrets, in the form that protojson
// reads as stampede.v1.Spec. It is for the wire only; json.Marshal masks them.
func (s *Spec) Reveal() ([]byte, error) {
	r := revealed{
		Spec:     s,
		Endpoint: revealedEndpoint{plainEndpoint(s.Endpoint), s.Endpoint.Headers, s.Endpoint.APIKey.Reveal()},
		Dataset:  revealedDataset{s.Dataset, s.Dataset.HubToken.Reveal()},
		Sampling: revealedSampling{s.Sampling, s.Sampling.ExtraBody},
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	return b, nil
}

// YAML returns the spec as a YAML file that Parse reads, its keys in the order
// of the documentation, secrets masked.
func (s *Spec) YAML() ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	n, errs := tree((*builder).json, data)
	if n == nil {
		return nil, fmt.Errorf("encode spec: %w", errs)
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(n.yamlNode()); err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	return buf.Bytes(), nil
}
