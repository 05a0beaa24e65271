package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is an entry of a file's added_tokens.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized *bool  `json:"normalized"`
	Special    bool   `json:"special"`
}

// normalized is whether the token is looked for in normalized text: by default,
// unless it is special.
func (a *addedToken) normalized() bool {
	if a.Normalized != nil {
		return *a.Normalized
	}
	return !a.Special
}

// addedVocabulary finds added tokens: some in the text as it came, some in the
// normalized text.
type addedVocabulary struct {
	raw, normal finder
	byID        map[int32]string
}

// newAdded gives ids as the reference does: a token that the model knows keeps
// its id there, others are counted on from the model's size, whatever the file says.
func newAdded(tokens []addedToken, m model, n normalizer) addedVocabulary {
	v := addedVocabulary{byID: make(map[int32]string, len(tokens))}
	next, ids, last := int32(m.size()), make(map[string]int32, len(tokens)), make(map[int32]addedToken, len(tokens))
	var order []int32
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		id, known := ids[t.Content]
		if !known {
			if id, known = m.id(t.Content); !known {
				id = next
				next++
			}
		}
		ids[t.Content] = id
		if _, again := last[id]; !again {
			order = append(order, id)
		}
		last[id] = t
	}
	for _, id := range order {
		t := last[id]
		v.byID[id] = t.Content
		if !t.normalized() {
			v.raw.add(t.Content, id, t)
			continue
		}
		pattern := t.Content
		if n != nil {
			pattern = n.normalize(pattern)
			v.byID[id] = pattern
		}
		v.normal.add(pattern, id, t)
	}
	return v
}

func (v *addedVocabulary) token(id int32) (string, bool) {
	token, ok := v.byID[id]
	return token, ok
}

// finder finds, from the left, the longest of its tokens.
type finder struct {
	nodes []trieNode
	rules []addedToken // by node's rule
}

type trieNode struct {
	next map[byte]int32
	rule int32 // index into rules plus one, 0 for none
	id   int32
}

func (f *finder) add(token string, id int32, rule addedToken) {
	if token == "" {
		return
	}
	if len(f.nodes) == 0 {
		f.nodes = make([]trieNode, 1)
	}
	at := int32(0)
	for i := range len(token) {
		to, ok := f.nodes[at].next[token[i]]
		if !ok {
			to = int32(len(f.nodes))
			if f.nodes[at].next == nil {
				f.nodes[at].next = map[byte]int32{}
			}
			f.nodes[at].next[token[i]] = to
			f.nodes = append(f.nodes, trieNode{})
		}
		at = to
	}
	f.rules = append(f.rules, rule)
	f.nodes[at].rule, f.nodes[at].id = int32(len(f.rules)), id
}

// find is the first match at or behind from, the longest that begins there.
func (f *finder) find(text string, from int) (start, end int, n *trieNode) {
	for i := from; i < len(text); i++ {
		at, ok := f.nodes[0].next[text[i]]
		if !ok {
			continue
		}
		for j := i + 1; ; j++ {
			if f.nodes[at].rule > 0 {
				start, end, n = i, j, &f.nodes[at]
			}
			if j == len(text) {
				break
			}
			if at, ok = f.nodes[at].next[text[j]]; !ok {
				break
			}
		}
		if n != nil {
			return start, end, n
		}
	}
	return 0, 0, nil
}

// each calls plain for what lies between tokens and token for each of them, in
// the order of the text.
func (f *finder) each(in section, plain func(section), token func(int32)) {
	text := in.text
	if len(f.nodes) == 0 {
		if text != "" {
			plain(in)
		}
		return
	}
	done := 0
	for from := 0; ; {
		start, end, n := f.find(text, from)
		if n == nil {
			break
		}
		from = end
		rule := &f.rules[n.rule-1]
		if rule.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
			continue
		}
		if rule.LStrip {
			start = max(len(strings.TrimRightFunc(text[:start], unicode.IsSpace)), done)
		}
		if rule.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if done < start {
			plain(section{text[done:start], in.first && done == 0})
		}
		token(n.id)
		done = end
	}
	if done < len(text) {
		plain(section{text[done:], in.first && done == 0})
	}
}

func wordBefore(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func wordAfter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}
