package measure

// foldFigures records the figures of a request that succeeded.
func (s *Set) foldFigures(p *phase, info *PhaseInfo, x *Sample) {
	s.figuresOf(info, x, func(i int, v, times int64) { p.hist(i).Record(v, times) })
	s.foldStamps(p, x)
	foldCounts(p, x)
}

// figuresOf yields the latencies and speeds of a request that succeeded, each
// figure's values together.
func (s *Set) figuresOf(info *PhaseInfo, x *Sample, record func(i int, v, times int64)) {
	one := func(i int, v int64, ok bool) {
		if ok {
			record(i, v, 1)
		}
	}
	v, ok := x.E2E()
	one(iE2E, v, ok)
	v, ok = x.NTPOT()
	one(iNTPOT, v, ok)
	if !info.Closed {
		v, ok = between(x.Intended, x.LastToken)
		one(iE2EFromSchedule, v, ok)
	}
	if s.cfg.Streaming {
		streamFigures(info, x, one, record)
	}
}

// streamFigures yields what only a stream has.
func streamFigures(info *PhaseInfo, x *Sample, one func(i int, v int64, ok bool), record func(i int, v, times int64)) {
	v, ok := x.TTFT()
	one(iTTFT, v, ok)
	v, ok = x.TTFO()
	one(iTTFO, v, ok)
	v, ok = x.TTST()
	one(iTTST, v, ok)
	v, ok = x.TPOT()
	one(iTPOT, v, ok)
	v, ok = x.TokensPerSecond()
	one(iTokensPerSecond, v, ok)
	if !info.Closed {
		v, ok = between(x.Intended, x.FirstToken)
		one(iTTFTFromSchedule, v, ok)
	}
	if len(x.ChunkOffsets) < 2 {
		return
	}
	for gap := range x.ICL() {
		record(iICL, gap, 1)
	}
	for gap, times := range x.ITL() {
		record(iITL, gap, times)
	}
}

// foldStamps records how precisely the request was timed. stamp_uncertainty is
// pooled over token chunks: each that shared its read counts with the widest
// interval of its request, any other with 0, so it can be recomputed from rows.
func (s *Set) foldStamps(p *phase, x *Sample) {
	p.answered++
	p.hist(iReadDelay).Record(max(x.ReadDelayMax, 0), 1)
	p.coalesced += int64(x.CoalescedChunks)
	if !x.KernelStamped {
		return
	}
	p.kernelStamped++
	shared := min(int64(x.CoalescedChunks), int64(len(x.ChunkOffsets)))
	h := p.hist(iStampUncertainty)
	h.Record(max(x.StampUncertainty, 0), shared)
	h.Record(0, int64(len(x.ChunkOffsets))-shared)
}

func foldCounts(p *phase, x *Sample) {
	if x.InputTokens >= 0 {
		p.hist(iInputTokens).Record(int64(x.InputTokens), 1)
	}
	if x.OutputTokens >= 0 {
		p.hist(iOutputTokens).Record(int64(x.OutputTokens), 1)
	}
	if x.OutputTokensAsked > 0 {
		p.hist(iOutputAsked).Record(int64(x.OutputTokensAsked), 1)
	}
	if x.ReasoningTokens >= 0 {
		p.hist(iReasoningTokens).Record(int64(x.ReasoningTokens), 1)
	}
	if x.CachedTokens >= 0 {
		p.hist(iCachedTokens).Record(int64(x.CachedTokens), 1)
		if x.InputTokens > 0 {
			p.hist(iCacheHitRate).Record(int64(x.CachedTokens)*1_000_000/int64(x.InputTokens), 1)
		}
	}
}
