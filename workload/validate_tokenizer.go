package workload

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// TokenizerServer is the name that stands for the endpoint's own tokenizer.
const TokenizerServer = "server"

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxSingleWords bounds dataset.single_words in bytes.
const maxSingleWords = 16384

func (c *checker) tokenizer(d *Dataset) {
	c.line("dataset.tokenizer", d.Tokenizer, 4096)
	if d.TokenizerHash != "" && !sha256Hex.MatchString(d.TokenizerHash) {
		c.bad("dataset.tokenizer_hash", "must be 64 hexadecimal digits, got %s", quote(d.TokenizerHash))
	}
	for part := range strings.SplitSeq(d.SingleWords, ".") {
		if _, err := base64.RawStdEncoding.DecodeString(part); err != nil || len(part) > maxSingleWords {
			c.bad("dataset.single_words", "must be base64 of at most %d characters", maxSingleWords)
			break
		}
	}
}

// AsksServer reports whether the endpoint is still to be asked how it counts the
// words of synthetic text; once it is known, it is not asked again.
func (d Dataset) AsksServer() bool {
	return d.Tokenizer == TokenizerServer && d.SingleWords == "" && d.Synthetic()
}
