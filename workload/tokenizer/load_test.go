package tokenizer

import (
	"strings"
	"testing"
)

// What can't be exact is refused, with where and what.
func TestLoadRefuses(t *testing.T) {
	vocab := `"vocab":{"a":0,"b":1,"ab":2}`
	for name, c := range map[string]struct{ file, want string }{
		"not JSON":            {`{`, "is no JSON"},
		"no model":            {`{}`, "model: must be given"},
		"unknown model":       {`{"model":{"type":"Char"}}`, `type "Char" is not supported, only BPE`},
		"dropout":             {`{"model":{"type":"BPE","dropout":0.1,` + vocab + `,"merges":[]}}`, "model.dropout: is 0.1"},
		"sampling":            {`{"model":{"type":"Unigram","alpha":0.1,"unk_id":0,"vocab":[["a",0]]}}`, "model.alpha: is 0.1"},
		"merge without token": {`{"model":{"type":"BPE",` + vocab + `,"merges":["b a"]}}`, `model.merges[0]: "ba" is not in model.vocab`},
		"merge of three":      {`{"model":{"type":"BPE",` + vocab + `,"merges":["a b b"]}}`, "with one space between"},
		"merge of one":        {`{"model":{"type":"BPE",` + vocab + `,"merges":[["a"]]}}`, "pairs of two tokens"},
		"merge of numbers":    {`{"model":{"type":"BPE",` + vocab + `,"merges":[7]}}`, "must hold texts or pairs"},
		"unknown token":       {`{"model":{"type":"BPE","unk_token":"?",` + vocab + `,"merges":[]}}`, `model.unk_token: "?" is not in`},
		"huge id":             {`{"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}}`, "it must be from 0 to"},
		"negative id":         {`{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`, "is -1"},
		"no unknown":          {`{"model":{"type":"Unigram","vocab":[["a",0]]}}`, "model.unk_id: must be given"},
		"unknown beyond":      {`{"model":{"type":"Unigram","unk_id":1,"vocab":[["a",0]]}}`, "model.unk_id: is 1"},
		"scored token":        {`{"model":{"type":"Unigram","unk_id":0,"vocab":["a"]}}`, "must hold [token, score]"},
		"word piece":          {`{"model":{"type":"WordPiece","unk_token":"?",` + vocab + `}}`, `model.unk_token`},
		"bytes for words":     {`{"model":{"type":"WordPiece","unk_token":"a",` + vocab + `},"pre_tokenizer":{"type":"ByteLevel"}}`, "only BPE is"},
		"normalizer":          {`{"model":{},"normalizer":{"type":"Rot13"}}`, `normalizer: type "Rot13"`},
		"charsmap":            {`{"model":{},"normalizer":{"type":"Precompiled","precompiled_charsmap":"AA=="}}`, "too short"},
		"charsmap, no base64": {`{"model":{},"normalizer":{"type":"Precompiled","precompiled_charsmap":"?"}}`, "is not base64"},
		"charsmap, too long":  {`{"model":{},"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}}`, "longer than it is"},
		"pre-tokenizer":       {`{"model":{},"pre_tokenizer":{"type":"UnicodeScripts"}}`, `pre_tokenizer: type "UnicodeScripts"`},
		"behaviour":           {`{"model":{},"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Odd"}}`, "pre_tokenizer.behavior: must be"},
		"no pattern":          {`{"model":{},"pre_tokenizer":{"type":"Split","behavior":"Isolated"}}`, "pattern must be given"},
		"bad pattern":         {`{"model":{},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"}}`, `pattern "(a" can't be read`},
		"foreign pattern":     {`{"model":{},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)[a&&[^b]]"},"behavior":"Isolated"}}`, `"&&" is not supported`},
		"length":              {`{"model":{},"pre_tokenizer":{"type":"FixedLength","length":0}}`, "pre_tokenizer.length: must be at least 1"},
		"scheme":              {`{"model":{},"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"last"}}`, "must be always, first or never"},
		"scheme, at odds":     {`{"model":{},"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first","add_prefix_space":false}}`, "add_prefix_space is false"},
		"post-processor":      {`{"model":{"type":"BPE",` + vocab + `,"merges":[]},"post_processor":{"type":"Odd"}}`, `post_processor: type "Odd"`},
		"template":            {`{"model":{"type":"BPE",` + vocab + `,"merges":[]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]}}`, `"x" is not in special_tokens`},
		"sep":                 {`{"model":{"type":"BPE",` + vocab + `,"merges":[]},"post_processor":{"type":"BertProcessing"}}`, "sep and cls"},
		"decoder":             {`{"model":{"type":"BPE",` + vocab + `,"merges":[]},"decoder":{"type":"CTC"}}`, `decoder: type "CTC"`},
		"nesting":             {`{"model":{},"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 20) + strings.Repeat(`]}`, 20) + `}`, "too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "tokenizer.json: ") {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// Files of old versions don't say what their model is.
func TestLoadGuessesTheModel(t *testing.T) {
	for _, file := range []string{
		`{"model":{"vocab":{"a":0},"merges":[]}}`,
		`{"model":{"unk_id":0,"vocab":[["a",0]]}}`,
		`{"model":{"unk_token":"a","continuing_subword_prefix":"##","vocab":{"a":0}}}`,
	} {
		tok, err := Load([]byte(file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if n := tok.Count("a"); n != 1 {
			t.Errorf("%s: a has %d tokens, want 1", file, n)
		}
	}
}
