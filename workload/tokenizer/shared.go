package tokenizer

import (
	"fmt"
	"sync"
	"weak"
)

// shared are the tokenizers in use in this process by what they were made of:
// large ones take seconds and a hundred megabytes, and agents of one process may
// all want the same.
var shared struct {
	sync.Mutex
	made map[string]weak.Pointer[Tokenizer]
}

// Shared returns the tokenizer of a name: a built-in one, or the one in the file
// with that hash, which read returns. While somebody holds it, others get the
// same.
func Shared(name, hash string, read func(hash string) ([]byte, error)) (*Tokenizer, error) {
	key := hash
	if hash == "" {
		c, err := vocabularyOf(name)
		if err != nil {
			return nil, fmt.Errorf("tokenizer %q is neither built in nor was its file uploaded", name)
		}
		key = c.GetName()
	}
	shared.Lock()
	defer shared.Unlock()
	if t := shared.made[key].Value(); t != nil {
		return t, nil
	}
	t, err := open(name, hash, read)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %q: %w", name, err)
	}
	if shared.made == nil {
		shared.made = map[string]weak.Pointer[Tokenizer]{}
	}
	shared.made[key] = weak.Make(t)
	return t, nil
}

func open(name, hash string, read func(hash string) ([]byte, error)) (*Tokenizer, error) {
	if hash == "" {
		return Builtin(name)
	}
	data, err := read(hash)
	if err != nil {
		return nil, err
	}
	return Load(data)
}
