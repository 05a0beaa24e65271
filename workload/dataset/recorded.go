package dataset

// recorded is a corpus of conversations from a file. It wraps round.
type recorded struct {
	conversations [][]Turn
	before        []int64 // turns before conversation j, and in all
	output        output
}

func newRecorded(conversations [][]Turn, out output) *recorded {
	c := &recorded{conversations: conversations, output: out}
	var sum int64
	for _, turns := range conversations {
		c.before = append(c.before, sum)
		sum += int64(len(turns))
		for t := range turns {
			turns[t].OutputTokens = out.cap(turns[t].OutputTokens)
		}
	}
	c.before = append(c.before, sum)
	return c
}

func (c *recorded) Len() int64 { return int64(len(c.conversations)) }

func (c *recorded) Turns(i int64) int { return len(c.conversations[i%c.Len()]) }

func (c *recorded) Offset(int64) int64 { return -1 }

func (c *recorded) EntriesBefore(i int64) int64 {
	return i/c.Len()*c.before[c.Len()] + c.before[i%c.Len()]
}

func (c *recorded) Session(i int64) Session {
	turns := c.conversations[i%c.Len()]
	if c.output.given() {
		turns = append([]Turn(nil), turns...)
		for t := range turns {
			turns[t].OutputTokens = c.output.at(i, t)
		}
	}
	return Session{Index: i, OffsetNanos: -1, Turns: turns}
}
