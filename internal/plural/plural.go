// Package plural counts things in sentences. It knows nouns that take an s; others
// stand in the caller's own words.
package plural

import (
	"strconv"
	"strings"
)

// Of is a number of things by the name of one, such as "1 request" or "2 requests".
func Of[N int | int32 | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(int64(n), 10) + " " + one + "s"
}

// Said fills a sentence in which {one|many} is what stands for one thing and for
// several, and # is how many: "# {shard was|shards were} dealt again".
func Said(n int64, sentence string) string {
	var b strings.Builder
	for rest := sentence; ; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(strings.ReplaceAll(before, "#", strconv.FormatInt(n, 10)))
		if !found {
			return b.String()
		}
		choice, behind, _ := strings.Cut(after, "}")
		one, many, _ := strings.Cut(choice, "|")
		if n == 1 {
			b.WriteString(one)
		} else {
			b.WriteString(many)
		}
		rest = behind
	}
}
