package dataset

import "github.com/stampede-bench/stampede/workload"

// lookedAt is how many sessions are looked at to tell what a corpus is like.
const lookedAt = 100

// Shares reports whether prompts of the corpus begin alike on purpose, so that a
// server's prefix cache is meant to serve some of them: by shared beginnings, by
// the blocks of a trace, or because turns repeat what was said before them.
func Shares(spec *workload.Spec, c Corpus) bool {
	if c.Len() < 0 {
		return spec.Dataset.Prefix != nil || spec.Dataset.Chat != nil
	}
	for i := range min(c.Len(), lookedAt) {
		if c.Turns(i) > 1 {
			return true
		}
		s, err := c.Session(i)
		if err != nil {
			return false // whoever sends it says why
		}
		if len(s.Turns) > 0 && len(s.Turns[0].Blocks) > 0 {
			return true
		}
	}
	return spec.Sessions.SeparateTurns && c.Len() > 0
}
