package dataset

import (
	_ "embed" // for the word list
	"strings"
)

// TokensPerWord is how many tokens a word of a synthetic prompt takes. Every
// word of the list is a single token, with the space before it, in the
// tokenizers of GPT-2 to GPT-4o, Llama 3, Qwen 2.5, Gemma 2 and DeepSeek V3.
const TokensPerWord = 1.0

// TokensPerTextWord is how many tokens a word of people's own text takes,
// roughly: 1.3 for prose, more where there is code. It turns the recorded
// replies of a file into output lengths.
const TokensPerTextWord = 1.33

//go:embed words.txt
var wordList string

// words are common English words, in the order of the alphabet, each with a
// space behind it.
var words = spaced(strings.Fields(wordList))

// meanWord is the mean length of a word with its space, rounded up to leave room.
var meanWord = len(strings.Join(words, ""))/len(words) + 1

func spaced(list []string) []string {
	for i := range list {
		list[i] += " "
	}
	return list
}

// word picks a word by 64 random bits.
func word(bits uint64) string { return words[bits>>32*uint64(len(words))>>32] }
