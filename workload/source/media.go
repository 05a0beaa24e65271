package source

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// maxMediaBytes bounds a file that a part names.
const maxMediaBytes = 32 << 20

// readMedia puts the files that parts name into them, so that the data needs
// nothing beside it.
func (r *chat) readMedia(read func(path string) ([]byte, error)) error {
	if r.Messages == nil {
		return nil
	}
	for m := range *r.Messages {
		parts := (*r.Messages)[m].Content.parts
		for i, raw := range parts {
			var err error
			if parts[i], err = inlined(raw, read); err != nil {
				return fmt.Errorf("messages.content: %w", err)
			}
		}
	}
	return nil
}

// inlined is a part as it will be sent, without spaces and with its file in it.
func inlined(raw json.RawMessage, read func(string) ([]byte, error)) (json.RawMessage, error) {
	var part map[string]any
	if err := json.Unmarshal(raw, &part); err != nil {
		return nil, errContent
	}
	kind, _ := part["type"].(string)
	member := "url"
	if kind == "input_audio" {
		member = "data"
	}
	if text, plain := part[kind].(string); plain && member == "url" {
		part[kind] = map[string]any{"url": text} // as some write it
	}
	body, ok := part[kind].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a part of type %q has no %s", kind, kind)
	}
	text, ok := body[member].(string)
	if !ok || text == "" {
		return nil, fmt.Errorf("a part of type %q has no %s.%s", kind, kind, member)
	}
	if name, local := localFile(text, member); local {
		data, err := readMediaFile(name, read)
		if err != nil {
			return nil, err
		}
		body[member] = base64.StdEncoding.EncodeToString(data)
		if member == "url" {
			body[member] = "data:" + mediaType(name, data) + ";base64," + body[member].(string)
		} else if body["format"] == nil {
			body["format"] = strings.TrimPrefix(strings.ToLower(path.Ext(name)), ".")
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(part); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// localFile is the file that a part names, if it isn't elsewhere and isn't the
// data itself.
func localFile(text, member string) (string, bool) {
	if name, ok := strings.CutPrefix(text, "file://"); ok {
		return name, true
	}
	return text, member == "url" && !strings.HasPrefix(text, "data:") && !strings.Contains(text, "://")
}

func readMediaFile(name string, read func(string) ([]byte, error)) ([]byte, error) {
	if read == nil {
		return nil, fmt.Errorf("the file %q of a part can only be read where the data is uploaded from", name)
	}
	data, err := read(name)
	switch {
	case err != nil:
		return nil, badData{fmt.Errorf("the file of a part: %w", err)}
	case len(data) == 0:
		return nil, fmt.Errorf("the file %q of a part is empty", name)
	case len(data) > maxMediaBytes:
		return nil, fmt.Errorf("the file %q of a part has %d bytes, at most %d are sent", name, len(data), maxMediaBytes)
	}
	return data, nil
}

// mediaType is what a file is, by what it holds or else by its name.
func mediaType(name string, data []byte) string {
	found := http.DetectContentType(data)
	if strings.HasPrefix(found, "image/") || strings.HasPrefix(found, "audio/") || strings.HasPrefix(found, "video/") {
		return found
	}
	if ext := strings.TrimPrefix(strings.ToLower(path.Ext(name)), "."); ext != "" {
		return "image/" + ext
	}
	return "application/octet-stream"
}

// joinParts writes parts with commas between them.
func joinParts(parts []json.RawMessage) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = string(p)
	}
	return strings.Join(list, ",")
}
