package simulate

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

// wordAt returns the index of the i-th word of the reply with that seed.
func wordAt(seed uint64, i int) int { return int(mix(seed+uint64(i)) % uint64(len(vocabulary))) }

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
