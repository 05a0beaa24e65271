package workload

// Bounds on synthetic prompts.
const (
	maxGroups      = 1_000_000
	maxBlockTokens = 100_000
	maxTurns       = 1000
	maxHitRate     = 0.99
)

// synthetic checks what makes synthetic prompts alike, or conversations.
func (c *checker) synthetic(d *Dataset) {
	if d.Prefix != nil {
		c.prefix(d, d.Prefix)
	}
	if d.Chat != nil {
		c.chat(d, d.Chat)
	}
}

func (c *checker) prefix(d *Dataset, p *Prefix) {
	const path = "dataset.prefix"
	if !d.Synthetic() {
		c.bad(path, "needs synthetic prompts; recorded ones are sent as they are")
	}
	c.between(path+".groups", int64(p.Groups), 0, maxGroups)
	c.between(path+".block_tokens", int64(p.BlockTokens), 0, maxBlockTokens)
	switch {
	case p.Tokens == "" && p.HitRate == nil && !c.draft:
		c.bad(path, "must have tokens, how long it is, or hit_rate, what it is for")
	case p.Tokens != "" && p.HitRate != nil:
		c.bad(path+".tokens", "must not be given together with hit_rate, which says how long it is")
	case p.Tokens != "":
		c.lengths(path+".tokens", p.Tokens)
	}
	if p.Share != nil {
		c.finite(path+".share", p.Share, 0, 1)
	}
	if p.HitRate == nil {
		if p.BlockTokens != 0 {
			c.bad(path+".block_tokens", "needs hit_rate")
		}
		return
	}
	c.finite(path+".hit_rate", p.HitRate, 0, maxHitRate)
	if p.Share != nil {
		c.bad(path+".share", "must not be given together with hit_rate")
	}
	if d.Chat != nil {
		c.bad(path+".hit_rate", "must not be given together with dataset.chat, whose histories are cached as well")
	}
}

func (c *checker) chat(d *Dataset, chat *Chat) {
	const path = "dataset.chat"
	if !d.Synthetic() {
		c.bad(path, "needs synthetic prompts; recorded conversations have turns of their own")
	}
	if chat.Turns == "" {
		if !c.draft {
			c.missing(path+".turns", "say how many turns a conversation has, such as 4 or uniform:2:6")
		}
	} else {
		c.lengths(path+".turns", chat.Turns)
		if turns, err := ParseDist(chat.Turns); err == nil && turns.Mean() > maxTurns {
			c.bad(path+".turns", "must be at most %d on average, got %g", maxTurns, turns.Mean())
		}
	}
	if chat.InputTokens != "" {
		c.lengths(path+".input_tokens", chat.InputTokens)
	}
	if chat.ThinkTime != "" {
		_, err := ParsePause(chat.ThinkTime)
		c.fail(path+".think_time", err)
	}
}

// recorded refuses for synthetic data what only recorded sessions have.
func (c *checker) recorded(s *Spec) {
	if c.draft || !s.Dataset.Synthetic() {
		return
	}
	refuse := func(path string, given bool) {
		if given {
			c.badHint(path, "give a file as dataset.path", "needs recorded sessions, which synthetic data does not have")
		}
	}
	_, err := ParseSlice(s.Sessions.Range)
	refuse("sessions.range", err == nil && s.Sessions.Range != ":")
	refuse("sessions.separate_turns", s.Sessions.SeparateTurns)
	refuse("sessions.separate_interval", s.Sessions.SeparateInterval > 0 && !s.Sessions.SeparateTurns)
	ratio := s.Sessions.CompressionRatio
	refuse("sessions.compression_ratio", ratio != nil && *ratio > 0 && *ratio != 1)
}
