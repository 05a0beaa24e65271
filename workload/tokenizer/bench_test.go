package tokenizer

import (
	"os"
	"strings"
	"testing"
)

// prose is English with a little of the rest, about 20 kB.
func prose(b *testing.B) string {
	texts := referenceTexts(b)
	return strings.Repeat(strings.Join(texts[:60], " ")+"\n", 4) + strings.Join(texts[130:210], "\n")
}

// BenchmarkEncode reports tokens a second on one core.
func BenchmarkEncode(b *testing.B) {
	text := prose(b)
	run := func(name string, tok *Tokenizer) {
		b.Run(name, func(b *testing.B) {
			ids := tok.AppendIDs(nil, text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				ids = tok.AppendIDs(ids[:0], text)
			}
			b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
	for _, name := range smallNames {
		run("small/"+name, small(b, name))
	}
	for _, name := range []string{"llama3", "qwen2_5", "gemma2", "gpt2", "deepseek_v3", "mistral"} {
		data, err := os.ReadFile(modelFile(b, name))
		if err != nil {
			b.Fatal(err)
		}
		tok, err := Load(data)
		if err != nil {
			b.Fatal(err)
		}
		run(name, tok)
	}
	tok, err := Builtin("o200k_base")
	if err != nil {
		b.Fatal(err)
	}
	run("o200k_base", tok)
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"llama3", "gemma2"} {
		data, err := os.ReadFile(modelFile(b, name))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Load(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("o200k_base", func(b *testing.B) {
		for b.Loop() {
			if _, err := Builtin("o200k_base"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
