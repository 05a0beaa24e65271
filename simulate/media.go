package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg" // pictures come as
	_ "image/png"  // one of these
	"math"
	"strings"
)

// What pictures and sounds count for. A picture takes a token for each square of
// so many pixels, one that isn't sent along a fixed number; a sound so many a
// second.
const (
	imageSquare       = 28
	imageElsewhere    = 256
	audioTokensSecond = 25
)

// content is what a message says: a string, null, or parts.
type content struct {
	text  string
	media []mediaPart
}

// mediaPart is a picture or a sound.
type mediaPart struct {
	image  bool
	tokens int
	sum    string // of what came
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *content) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '[' {
		return json.Unmarshal(b, &c.text)
	}
	var parts []struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		ImageURL *struct {
			URL string `json:"url"`
		} `json:"image_url"`
		InputAudio *struct {
			Data   string `json:"data"`
			Format string `json:"format"`
		} `json:"input_audio"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	*c = content{}
	for _, p := range parts {
		c.text += p.Text
		switch {
		case p.ImageURL != nil:
			part, err := imageOf(p.ImageURL.URL)
			if err != nil {
				return err
			}
			c.media = append(c.media, part)
		case p.InputAudio != nil:
			part, err := audioOf(p.InputAudio.Data)
			if err != nil {
				return err
			}
			c.media = append(c.media, part)
		}
	}
	return nil
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func imageOf(url string) (mediaPart, error) {
	part := mediaPart{image: true, tokens: imageElsewhere, sum: sumOf(url)}
	if !strings.HasPrefix(url, "data:") {
		return part, nil
	}
	_, encoded, ok := strings.Cut(url, ";base64,")
	if !ok {
		return part, fmt.Errorf("image_url.url must be base64 data")
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return part, fmt.Errorf("image_url.url: %w", err)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return part, fmt.Errorf("image_url.url: cannot identify the image: %w", err)
	}
	squares := func(pixels int) int { return (pixels + imageSquare - 1) / imageSquare }
	part.tokens = squares(config.Width) * squares(config.Height)
	return part, nil
}

// audioOf reads the header of a WAV file.
func audioOf(encoded string) (mediaPart, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return mediaPart{}, fmt.Errorf("input_audio.data: %w", err)
	}
	if len(data) < 44 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return mediaPart{}, fmt.Errorf("input_audio.data: only WAV is read")
	}
	perSecond := binary.LittleEndian.Uint32(data[28:])
	if perSecond == 0 {
		return mediaPart{}, fmt.Errorf("input_audio.data: a header of 0 bytes a second")
	}
	seconds := float64(len(data)-44) / float64(perSecond)
	return mediaPart{tokens: int(math.Ceil(seconds * audioTokensSecond)), sum: sumOf(encoded)}, nil
}

// media counts parts in.
func (p *promptText) media(parts []mediaPart) {
	for _, m := range parts {
		p.text = append(append(p.text, m.sum...), 0)
		p.mediaTokens += m.tokens
		if m.image {
			p.images++
		} else {
			p.sounds++
		}
	}
}

// textList is one text, or a list of them.
type textList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *textList) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*l = make(textList, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// tool is one that a request offers.
type tool struct {
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// toolText is what the definitions of tools take in a prompt.
func toolText(tools []tool) string {
	var b strings.Builder
	for _, t := range tools {
		fmt.Fprintf(&b, "%s %s %s ", t.Function.Name, t.Function.Description, t.Function.Parameters)
	}
	return b.String()
}

// called is the tool that the reply calls: the one that is asked for, or the
// first, and none when it may not.
func (a *apiRequest) called() string {
	if len(a.Tools) == 0 || a.ToolChoice == "none" {
		return ""
	}
	if choice, ok := a.ToolChoice.(map[string]any); ok {
		if f, ok := choice["function"].(map[string]any); ok {
			if name, ok := f["name"].(string); ok {
				return name
			}
		}
	}
	return a.Tools[0].Function.Name
}
