package measure

import (
	"cmp"
	"slices"
)

// maxErrorKinds bounds the groups; further kinds are counted as "other".
const maxErrorKinds = 64

// ErrorGroup counts the failures of one kind.
type ErrorGroup struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
	// Message and Index are of the one that was intended first.
	Message    string `json:"message"`
	HTTPStatus int32  `json:"http_status,omitempty"`
	Index      int64  `json:"index"`
	TimedOut   int64  `json:"timed_out,omitempty"` // of Count
	// FirstSeen is when the first one ended, in seconds since the run's anchor.
	FirstSeen *float64 `json:"first_seen,omitempty"`
}

type errorGroups struct{ groups []ErrorGroup }

func (e *errorGroups) add(x *Sample) {
	kind := cmp.Or(x.ErrorKind, "unknown")
	g := ErrorGroup{
		Kind: kind, Count: 1, Message: x.ErrorMessage, HTTPStatus: x.HTTPStatus, Index: x.Index,
		TimedOut: one(x.Status == TimedOut),
	}
	if x.End != Absent {
		seen := float64(x.End) / 1e9
		g.FirstSeen = &seen
	}
	e.merge1(g)
}

func (e *errorGroups) merge1(g ErrorGroup) {
	i := slices.IndexFunc(e.groups, func(h ErrorGroup) bool { return h.Kind == g.Kind })
	if i < 0 && len(e.groups) >= maxErrorKinds {
		g.Kind = "other"
		i = slices.IndexFunc(e.groups, func(h ErrorGroup) bool { return h.Kind == g.Kind })
	}
	if i < 0 {
		e.groups = append(e.groups, g)
		return
	}
	h := &e.groups[i]
	h.Count += g.Count
	h.TimedOut += g.TimedOut
	if g.FirstSeen != nil && (h.FirstSeen == nil || *g.FirstSeen < *h.FirstSeen) {
		h.FirstSeen = g.FirstSeen
	}
	if g.Index < h.Index {
		h.Index, h.Message, h.HTTPStatus = g.Index, g.Message, g.HTTPStatus
	}
}

func (e *errorGroups) merge(o *errorGroups) {
	for _, g := range o.groups {
		e.merge1(g)
	}
}

// Errors returns the kinds of failures, most frequent first.
func (s *Set) Errors() []ErrorGroup {
	groups := slices.Clone(s.errors.groups)
	slices.SortFunc(groups, func(a, b ErrorGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	return groups
}
