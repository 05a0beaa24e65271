package workload

import (
	"maps"
	"slices"
)

// Clone returns a deep copy: nothing in it is shared with s.
func (s *Spec) Clone() *Spec {
	c := *s
	c.Labels = maps.Clone(s.Labels)
	c.Gates = slices.Clone(s.Gates)
	c.Preflight = copyOf(s.Preflight)
	c.Endpoint.Stream = copyOf(s.Endpoint.Stream)
	c.Endpoint.Headers = maps.Clone(s.Endpoint.Headers)
	c.Dataset.TokensPerWord = copyOf(s.Dataset.TokensPerWord)
	if c.Dataset.Prefix = copyOf(s.Dataset.Prefix); c.Dataset.Prefix != nil {
		c.Dataset.Prefix.Share, c.Dataset.Prefix.HitRate = copyOf(s.Dataset.Prefix.Share), copyOf(s.Dataset.Prefix.HitRate)
	}
	c.Dataset.Chat = copyOf(s.Dataset.Chat)
	c.Dataset.Columns = copyOf(s.Dataset.Columns)
	c.Dataset.Images, c.Dataset.Audio = copyOf(s.Dataset.Images), copyOf(s.Dataset.Audio)
	c.Endpoint.Models = slices.Clone(s.Endpoint.Models)
	for i := range c.Endpoint.Models {
		c.Endpoint.Models[i].Weight = copyOf(c.Endpoint.Models[i].Weight)
	}
	c.Sampling = s.Sampling.clone()
	c.Load.Stages = slices.Clone(s.Load.Stages)
	for i := range c.Load.Stages {
		c.Load.Stages[i] = c.Load.Stages[i].clone()
	}
	c.Sessions.HumanInputWPS = copyOf(s.Sessions.HumanInputWPS)
	c.Sessions.CompressionRatio = copyOf(s.Sessions.CompressionRatio)
	c.Sessions.MultiTurn = copyOf(s.Sessions.MultiTurn)
	c.Limits.DrainTimeout = copyOf(s.Limits.DrainTimeout)
	c.Limits.TimeTolerance = copyOf(s.Limits.TimeTolerance)
	c.Limits.LatenessP99 = copyOf(s.Limits.LatenessP99)
	return &c
}

func (s Sampling) clone() Sampling {
	s.Temperature, s.TopP = copyOf(s.Temperature), copyOf(s.TopP)
	s.MaxTokens, s.N = copyOf(s.MaxTokens), copyOf(s.N)
	s.IgnoreEOS = copyOf(s.IgnoreEOS)
	if s.ExtraBody != nil {
		s.ExtraBody = cloneObject(s.ExtraBody)
	}
	return s
}

func (s Stage) clone() Stage {
	s.Rate, s.EndRate = copyOf(s.Rate), copyOf(s.EndRate)
	s.Burstiness, s.Concurrency, s.Func = copyOf(s.Burstiness), copyOf(s.Concurrency), copyOf(s.Func)
	s.Replay = copyOf(s.Replay)
	if s.Replay != nil {
		s.Replay.TimeScale = copyOf(s.Replay.TimeScale)
	}
	return s
}

func cloneObject(o map[string]any) map[string]any {
	out := make(map[string]any, len(o))
	for k, v := range o {
		out[k] = cloneAny(v)
	}
	return out
}

func cloneAny(v any) any {
	switch t := v.(type) {
	case map[string]any:
		return cloneObject(t)
	case []any:
		out := make([]any, len(t))
		for i, item := range t {
			out[i] = cloneAny(item)
		}
		return out
	default:
		return v
	}
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
