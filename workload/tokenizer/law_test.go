package tokenizer

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
	"pgregory.net/rapid"
)

func small(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(golden + "/small/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

var smallNames = []string{"byte_bpe", "roberta", "byte_normalizer", "sentence_bpe", "suffix_bpe", "prefix_bpe", "unigram", "unigram_bytes", "word_piece", "word_level"}

// patterns are those of the models that are in use, and some with what else the
// matcher reads.
var patterns = []string{
	gpt2, cl100k, o200k, `\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`,
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	`a*b?|(?:ab|cd){1,3}x?`, `(?=z)[a-z]{2}|x*`, `(?i:k|t)z?`, `\P{L}+`, `[^\S\n]+`, `\d\D|[^\w]`,
}

// interpreted is regexp2's own reading of a pattern. The group keeps it from the
// engines that the library of vocabularies has registered under the very texts of
// cl100k and o200k: there "\n \n" is two matches, to Oniguruma it is one.
func interpreted(text string) general {
	return general{regexp2.MustCompile("(?:"+text+")", regexp2.None)}
}

func compiled(t *testing.T, text string) *matcher {
	t.Helper()
	e, err := parsePattern(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	m, err := newMatcher(e)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return m
}

// pieces are the matches of a pattern in a text.
func pieces(p pattern, text string) []string {
	var found []string
	p.matches(text, func(start, end int) { found = append(found, text[start:end]) })
	return found
}

// What Oniguruma, by which the reference matches, finds in runs of white space.
func TestMatcherOnWhiteSpace(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          []string
	}{
		{cl100k, "\n \n", []string{"\n \n"}},
		{o200k, "\n \n", []string{"\n \n"}},
		{gpt2, "\n \n", []string{"\n \n"}},
		{cl100k, "\n \n a", []string{"\n \n", " a"}},
		{cl100k, "\n\u00a0\n", []string{"\n\u00a0\n"}},
		{cl100k, " \n  \na", []string{" \n  \n", "a"}},
		{cl100k, "a  \n\r\n  b", []string{"a", "  \n\r\n", " ", " b"}},
		{cl100k, "\n   1", []string{"\n", "  ", " ", "1"}},
		{gpt2, "\n \n a", []string{"\n \n", " a"}},
	} {
		if got := pieces(compiled(t, tt.pattern), tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("pattern %q on %q: %q, want %q", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// All short texts of what the patterns tell apart are matched as regexp2 does.
func TestMatcherOnShortTexts(t *testing.T) {
	for _, text := range patterns {
		m, want := compiled(t, text), interpreted(text)
		var try func(in string, more int)
		try = func(in string, more int) {
			if got, expect := pieces(m, in), pieces(want, in); !slices.Equal(got, expect) {
				t.Fatalf("pattern %q on %q: %q, want %q", text, in, got, expect)
			}
			for _, r := range "\n\r \t\u00a0a1." {
				if more > 0 {
					try(in+string(r), more-1)
				}
			}
		}
		try("", 4)
	}
}

// The matcher finds what regexp2 finds.
func TestMatcherAgainstRegexp2(t *testing.T) {
	for _, text := range patterns {
		m, want := compiled(t, text), interpreted(text)
		rapid.Check(t, func(t *rapid.T) {
			in := rapid.StringOf(rapid.SampledFrom([]rune("abcdkxzABK '\n\r\t\u00a0\u3000sStTreELl019٣½é\u0301中文あßǅʰ.,/-!<🙂"))).Draw(t, "text")
			var got, expect [][2]int
			m.matches(in, func(a, b int) { got = append(got, [2]int{a, b}) })
			want.matches(in, func(a, b int) { expect = append(expect, [2]int{a, b}) })
			if !slices.Equal(got, expect) {
				t.Fatalf("pattern %q on %q: %v, want %v", text, in, got, expect)
			}
		})
	}
}

// What bytes were encoded to is decoded to them.
func TestByteLevelRoundTrip(t *testing.T) {
	tok := small(t, "byte_bpe")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if strings.ContainsAny(text, "<w[") {
			t.Skip("may hold an added token that takes the spaces beside it")
		}
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

// Short and long pieces are merged alike: by looking at all ranks or by a heap.
func TestMergeAlgorithmsAgree(t *testing.T) {
	m := small(t, "byte_bpe").model.(*bpe)
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringMatching(`[a-f er\n]{2,120}`).Draw(t, "piece")
		a, b := &scratch{}, &scratch{}
		a.symbols, b.symbols = m.symbols(nil, piece), m.symbols(nil, piece)
		if x, y := m.mergeShort(a), m.mergeLong(b); !slices.Equal(x, y) {
			t.Fatalf("%q: %v and %v", piece, x, y)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	for _, name := range smallNames {
		tok := small(t, name)
		texts := referenceTexts(t)
		want := make([]int, len(texts))
		for i, text := range texts {
			want[i] = small(t, "word_level").Count("") + tok.Count(text)
		}
		fresh := small(t, name)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for i, text := range texts {
					if n := fresh.Count(text); n != want[i] {
						t.Errorf("%s, %.40q: counted %d beside others, %d alone", name, text, n, want[i])
					}
				}
			})
		}
		group.Wait()
	}
}

func TestNotUTF8(t *testing.T) {
	tok := small(t, "byte_bpe")
	if got, want := tok.Encode("a\xff\xfeb"), tok.Encode("a\uFFFDb"); !slices.Equal(got, want) {
		t.Errorf("ids of bad bytes %v, want %v", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	// Small ones: shrinking what it finds is all that the fuzzer does with others.
	const vocab = `"vocab":{"a":0,"b":1,"ab":2,"##b":3,"<0x41>":4,"Ġ":5}`
	for _, file := range []string{
		`{"model":{"type":"BPE",` + vocab + `,"merges":["a b",["a","b"]],"unk_token":"a","byte_fallback":true,"fuse_unk":true}}`,
		`{"model":{"type":"BPE",` + vocab + `,"merges":["a b"],"ignore_merges":true},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},"decoder":{"type":"ByteLevel"}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",-1],["b",-2]],"byte_fallback":true},"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="}}`,
		`{"model":{"type":"WordPiece","unk_token":"a","continuing_subword_prefix":"##",` + vocab + `},"normalizer":{"type":"BertNormalizer","clean_text":true,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"}}`,
		`{"model":{"type":"WordLevel","unk_token":"a",` + vocab + `},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a*)*"},"behavior":"MergedWithNext","invert":true}}`,
		`{"model":{"type":"WordLevel","unk_token":"a",` + vocab + `},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?:[a-z]|\\s){2,3}(?!b)"},"behavior":"Isolated","invert":false}}`,
		`{"model":{"type":"WordLevel","unk_token":"a",` + vocab + `},"added_tokens":[{"id":9,"content":"x","lstrip":true,"rstrip":true,"single_word":true}],"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first"},"decoder":{"type":"Metaspace"}}`,
		`{"model":{"type":"WordLevel","unk_token":"a",` + vocab + `},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a"}},{"Sequence":{"id":"A"}}],"special_tokens":{"a":{"ids":[0]}}},"decoder":{"type":"Strip","content":"a","start":1,"stop":1}}`,
	} {
		f.Add([]byte(file), "ab A 世 1  x")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := Load(data)
		if err != nil {
			return
		}
		ids := tok.Encode(text)
		_ = tok.Decode(ids)
		_ = tok.Framed(ids)
	})
}

func FuzzEncode(f *testing.F) {
	tokenizers := map[string]*Tokenizer{}
	for _, name := range smallNames {
		tokenizers[name] = small(f, name)
	}
	for _, text := range []string{"Hello, world", "<mask>  x", "\xff\x00", "中文 123 'S", "a\u0301<|im_start|>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, tok := range tokenizers {
			ids := tok.Encode(text)
			if !slices.Equal(ids, tok.Encode(text)) {
				t.Fatalf("%s: %q has other ids the second time", name, text)
			}
			back := tok.Decode(ids)
			if name == "byte_bpe" && utf8.ValidString(text) && !strings.ContainsAny(text, "<w[") && back != text {
				t.Fatalf("%s: %q came back as %q", name, text, back)
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range patterns {
		f.Add(p, "Hello, world 123\n\n x")
	}
	f.Fuzz(func(t *testing.T, text, in string) {
		e, err := parsePattern(text)
		if err != nil {
			return
		}
		m, err := newMatcher(e)
		if err != nil || !utf8.ValidString(in) || len(in) > 200 {
			return
		}
		last := 0
		m.matches(in, func(start, end int) {
			if start < last || end < start || end > len(in) {
				t.Fatalf("%q on %q: a match from %d to %d behind %d", text, in, start, end, last)
			}
			last = end
		})
	})
}
