package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxID bounds ids, and with them the memory that a file can ask for.
const maxID = 1 << 23

// rawVocab is a vocabulary as the file has it.
type rawVocab map[string]int64

// vocabulary maps tokens to ids and back.
type vocabulary struct {
	ids    map[string]int32
	tokens []string
	has    []bool
}

func newVocabulary(raw rawVocab) (vocabulary, error) {
	v := vocabulary{ids: make(map[string]int32, len(raw))}
	most := int64(-1)
	for token, id := range raw {
		if id < 0 || id > maxID {
			return v, fmt.Errorf("model.vocab: the id of %q is %d, it must be from 0 to %d", token, id, maxID)
		}
		most = max(most, id)
		v.ids[token] = int32(id)
	}
	v.tokens, v.has = make([]string, most+1), make([]bool, most+1)
	for token, id := range v.ids {
		v.tokens[id], v.has[id] = token, true
	}
	return v, nil
}

func (v *vocabulary) id(token string) (int32, bool) {
	id, ok := v.ids[token]
	return id, ok
}

func (v *vocabulary) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.tokens) || !v.has[id] {
		return "", false
	}
	return v.tokens[id], true
}

// must is the id of a token that the file refers to.
func (v *vocabulary) must(where, token string) (int32, error) {
	id, ok := v.ids[token]
	if !ok {
		return 0, fmt.Errorf("%s: %q is not in model.vocab", where, token)
	}
	return id, nil
}

// mergeList is merges in either form: "left right", or [left, right].
type mergeList [][2]string

// UnmarshalJSON reads both forms, also mixed.
func (l *mergeList) UnmarshalJSON(data []byte) error {
	var items []merge
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*l = make(mergeList, len(items))
	for i, m := range items {
		(*l)[i] = m
	}
	return nil
}

type merge [2]string

// UnmarshalJSON reads one merge.
func (m *merge) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		var parts []string
		if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 2 {
			return fmt.Errorf("model.merges: must hold pairs of two tokens, got %.60s", data)
		}
		*m = merge{parts[0], parts[1]}
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("model.merges: must hold texts or pairs, got %.60s", data)
	}
	left, right, ok := strings.Cut(text, " ")
	if !ok || strings.Contains(right, " ") {
		return fmt.Errorf("model.merges: a text must be two tokens with one space between them, got %.60q", text)
	}
	*m = merge{left, right}
	return nil
}
