package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
)

func openMedia(t *testing.T, d workload.Dataset, api string) Corpus {
	t.Helper()
	d.Name = workload.DatasetSynthetic
	c, _, err := Open(&workload.Spec{Seed: 3, Dataset: d, Endpoint: workload.Endpoint{API: api}}, "", nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func turnOfSession(t *testing.T, c Corpus, i int64) Turn {
	t.Helper()
	s, err := c.Session(i)
	if err != nil {
		t.Fatal(err)
	}
	return s.Turns[0]
}

// Pictures and sounds have the sizes that were asked for, each is another one, and
// the same session has the same ones again.
func TestMedia(t *testing.T) {
	for _, format := range []string{"png", "jpeg"} {
		c := openMedia(t, workload.Dataset{
			InputTokens: "10",
			Images:      &workload.Images{Count: 2, Width: 100, Height: 37, Format: format}, Audio: &workload.Audio{Duration: workload.Duration(250 * time.Millisecond)},
		}, "")
		seen := map[string]bool{}
		for i := range int64(3) {
			m := turnOfSession(t, c, i).Messages[0]
			if again := turnOfSession(t, c, i).Messages[0]; again != m {
				t.Fatalf("session %d is another one the second time", i)
			}
			var parts []struct {
				Type       string
				ImageURL   struct{ URL string }          `json:"image_url"`
				InputAudio struct{ Data, Format string } `json:"input_audio"`
			}
			if err := json.Unmarshal([]byte("["+m.Media+"]"), &parts); err != nil || len(parts) != 3 {
				t.Fatalf("%d parts, %v", len(parts), err)
			}
			for _, p := range parts[:2] {
				encoded, ok := strings.CutPrefix(p.ImageURL.URL, "data:image/"+format+";base64,")
				data, err := base64.StdEncoding.DecodeString(encoded)
				if !ok || err != nil {
					t.Fatalf("%.60s: %v", p.ImageURL.URL, err)
				}
				config, kind, err := image.DecodeConfig(bytes.NewReader(data))
				if err != nil || kind != format || config.Width != 100 || config.Height != 37 {
					t.Errorf("%s of %dx%d, %v, want %s of 100x37", kind, config.Width, config.Height, err, format)
				}
				seen[encoded] = true
			}
			sound, err := base64.StdEncoding.DecodeString(parts[2].InputAudio.Data)
			if err != nil || parts[2].InputAudio.Format != "wav" || len(sound) != 44+2*sampleRate/4 || string(sound[:4]) != "RIFF" {
				t.Errorf("sound of %d bytes, %v, want %d", len(sound), err, 44+2*sampleRate/4)
			}
			seen[parts[2].InputAudio.Data] = true
		}
		if len(seen) != 9 {
			t.Errorf("%d different pictures and sounds, want 9", len(seen))
		}
	}
}

// A batch has as many texts as asked, of the lengths that were asked for; a query
// stays short.
func TestBatch(t *testing.T) {
	words := func(m Message) int { return len(strings.Fields(m.Content)) }
	c := openMedia(t, workload.Dataset{InputTokens: "100", BatchSize: 5}, workload.APIEmbeddings)
	turn := turnOfSession(t, c, 2)
	if len(turn.Messages) != 5 || turn.InputTokens != 500 || turn.OutputTokens != 0 || words(turn.Messages[0]) != 100 || words(turn.Messages[4]) != 100 {
		t.Errorf("embeddings: %d texts, %d tokens, first of %d", len(turn.Messages), turn.InputTokens, words(turn.Messages[0]))
	}
	if turn.Messages[1].Content == turn.Messages[2].Content {
		t.Error("two texts of a batch are the same")
	}
	turn = turnOfSession(t, openMedia(t, workload.Dataset{InputTokens: "100", BatchSize: 3}, workload.APIRerank), 2)
	if len(turn.Messages) != 4 || words(turn.Messages[0]) != queryTokens || turn.InputTokens != queryTokens+300 {
		t.Errorf("rerank: %d texts, query of %d, %d tokens", len(turn.Messages), words(turn.Messages[0]), turn.InputTokens)
	}
}

// What goes beside the text is in the hash; without it nothing changes there.
func TestCanonicalMedia(t *testing.T) {
	plain := Session{Turns: []Turn{{Messages: []Message{{Role: RoleUser, Content: "a"}}}}}
	with := Session{Turns: []Turn{{Messages: []Message{{Role: RoleUser, Content: "a", Media: `{"type":"x"}`}}}}}
	if a, b := string(CanonicalBody(plain, 0, workload.Sampling{}, 1)), string(CanonicalBody(with, 0, workload.Sampling{}, 1)); a == b || !strings.Contains(b, `"media":[{"type":"x"}]`) || strings.Contains(a, "media") {
		t.Errorf("%s and %s", a, b)
	}
	s := &workload.Spec{}
	if got := string(CanonicalParameters(s)); got != string(CanonicalSampling(s.Sampling)) {
		t.Errorf("without tools: %s", got)
	}
	s.Dataset.Tools = "1"
	if got := string(CanonicalParameters(s)); !strings.Contains(got, `"request":{"tools":[{`) || !json.Valid([]byte(`{"sampling":`+got+`}`)) {
		t.Errorf("with tools: %s", got)
	}
}

func BenchmarkMedia(b *testing.B) {
	for name, d := range map[string]workload.Dataset{
		"jpeg":  {Images: &workload.Images{}},
		"png":   {Images: &workload.Images{Format: "png"}},
		"audio": {Audio: &workload.Audio{}},
	} {
		m := newMedia(&workload.Spec{Dataset: d})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := int64(0)
			for b.Loop() {
				b.SetBytes(int64(len(m.parts(i, 0))))
				i++
			}
		})
	}
}
