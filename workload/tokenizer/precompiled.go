package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled is SentencePiece's table of replacements: a double-array trie whose
// values are places in a list of texts, each ended by a zero byte.
type precompiled struct {
	trie  []uint32
	texts string
}

func newPrecompiled(encoded string) (*precompiled, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("normalizer.precompiled_charsmap: is not base64")
	}
	if len(data) < 4 {
		return nil, errors.New("normalizer.precompiled_charsmap: is too short")
	}
	size := int(binary.LittleEndian.Uint32(data))
	if data = data[4:]; size > len(data) || size%4 != 0 || size == 0 {
		return nil, errors.New("normalizer.precompiled_charsmap: its trie is longer than it is")
	}
	p := &precompiled{texts: string(data[size:])}
	for i := 0; i < size; i += 4 {
		p.trie = append(p.trie, binary.LittleEndian.Uint32(data[i:]))
	}
	return p, nil
}

// transform is what replaces text, if anything does. As in the reference, the
// shortest beginning of text that the trie has decides for all of it.
func (p *precompiled) transform(text string) (string, bool) {
	at := uint32(0)
	unit := p.trie[0]
	at ^= unitOffset(unit)
	for i := 0; i < len(text) && text[i] != 0; i++ {
		at ^= uint32(text[i])
		if int(at) >= len(p.trie) {
			return "", false
		}
		if unit = p.trie[at]; unit&(1<<31|0xff) != uint32(text[i]) {
			return "", false
		}
		at ^= unitOffset(unit)
		if unit>>8&1 == 1 {
			if int(at) >= len(p.trie) {
				return "", false
			}
			return p.value(int(p.trie[at] & (1<<31 - 1)))
		}
	}
	return "", false
}

func unitOffset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

func (p *precompiled) value(at int) (string, bool) {
	if at >= len(p.texts) {
		return "", false
	}
	text, _, _ := strings.Cut(p.texts[at:], "\x00")
	return text, true
}

// shortGrapheme is the length in bytes below which what a reader sees as one
// character is looked up as a whole.
const shortGrapheme = 6

func (p *precompiled) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for rest, state := text, -1; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if len(cluster) < shortGrapheme {
			if to, ok := p.transform(cluster); ok {
				b.WriteString(to)
				continue
			}
		}
		for cluster != "" {
			_, size := utf8.DecodeRuneInString(cluster)
			if to, ok := p.transform(cluster[:size]); ok {
				b.WriteString(to)
			} else {
				b.WriteString(cluster[:size])
			}
			cluster = cluster[size:]
		}
	}
	return b.String()
}
