package simulate

import "slices"

// word is one token of a reply: its text as it stands in JSON, and plain.
type word struct{ escaped, plain string }

// vocabulary holds the words of replies. The last few are there to be awkward:
// several bytes, escapes, a newline.
var vocabulary = makeVocabulary()

func makeVocabulary() []word {
	v := make([]word, 0, len(plainWords)+8)
	for _, s := range plainWords {
		v = append(v, word{" " + s, " " + s})
	}
	for _, s := range []string{"café", "naïve", "Zürich", "東京", "🙂"} {
		v = append(v, word{" " + s, " " + s})
	}
	return append(v, word{` \"quoted\"`, ` "quoted"`}, word{`\n`, "\n"}, word{` C:\\`, ` C:\`})
}

// ofOneToken is the vocabulary less what a tokenizer doesn't take for one token, or
// not when it stands twice.
// Counting all of a reply's words then gives the number that usage tells.
func ofOneToken(count func(text string) int) []word {
	base := count(vocabulary[0].plain)
	return slices.DeleteFunc(slices.Clone(vocabulary), func(w word) bool {
		return count(vocabulary[0].plain+w.plain) != base+1 || count(vocabulary[0].plain+w.plain+w.plain) != base+2
	})
}

// wordAt returns the index, of n, of the i-th word of the reply with that seed.
func wordAt(n int, seed uint64, i int) int { return int(mix(seed+uint64(i)) % uint64(n)) }

var plainWords = [...]string{
	"the", "of", "and", "to", "in", "is", "it", "that", "for", "on", "as", "with",
	"be", "at", "by", "this", "from", "or", "an", "are", "not", "have", "was", "but",
	"they", "one", "all", "we", "can", "more", "there", "when", "which", "you", "about", "time",
	"work", "data", "model", "system", "value", "result", "number", "stream", "token", "buffer", "thread", "server",
	"client", "queue", "network", "memory", "message", "request", "answer", "signal", "river", "mountain", "window", "garden",
	"light", "stone", "paper", "music", "winter", "summer", "quiet", "bright", "small", "large", "early", "late",
	"slow", "fast", "clear", "open", "north", "south", "water", "forest", "city", "street", "morning", "evening",
	"letter", "story", "question", "reason", "method", "pattern", "figure", "table", "measure", "moment", "second", "minute",
}
