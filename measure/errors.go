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
}

type errorGroups struct{ groups []ErrorGroup }

func (e *errorGroups) add(x *Sample) {
	kind := cmp.Or(x.ErrorKind, "unknown")
	e.merge1(ErrorGroup{Kind: kind, Count: 1, Message: x.ErrorMessage, HTTPStatus: x.HTTPStatus, Index: x.Index, TimedOut: one(x.Status == TimedOut)})
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
