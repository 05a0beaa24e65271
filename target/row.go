package target

// row is connections in the order in which they came. A server closes those that were
// idle together together, the oldest first: to take one out of the middle costs as
// little as from either end, for it leaves a gap, and the gaps are closed up once there
// are more of them than connections.
type row struct {
	all  []*conn // by their place; nil is a gap. Neither the first nor the last is one.
	from int     // nothing stands before
	n    int     // connections
}

func (r *row) push(k *conn) {
	k.at = len(r.all)
	r.all = append(r.all, k)
	r.n++
}

// first is the oldest, or nil.
func (r *row) first() *conn {
	if r.n == 0 {
		return nil
	}
	return r.all[r.from]
}

// last is the newest, or nil.
func (r *row) last() *conn {
	if r.n == 0 {
		return nil
	}
	return r.all[len(r.all)-1]
}

// remove takes out one that is there.
func (r *row) remove(k *conn) {
	r.all[k.at], k.at = nil, -1
	if r.n--; r.n == 0 {
		r.all, r.from = r.all[:0], 0
		return
	}
	for r.all[len(r.all)-1] == nil {
		r.all = r.all[:len(r.all)-1]
	}
	for r.all[r.from] == nil {
		r.from++
	}
	if len(r.all) > 2*r.n+leastGaps {
		r.close()
	}
}

// leastGaps are not worth closing up.
const leastGaps = 16

// close closes up the gaps.
func (r *row) close() {
	kept := r.all[:0]
	for _, k := range r.all[r.from:] {
		if k != nil {
			k.at = len(kept)
			kept = append(kept, k)
		}
	}
	clear(r.all[len(kept):])
	r.all, r.from = kept, 0
}

// clear takes out all.
func (r *row) clear() {
	for _, k := range r.all {
		if k != nil {
			k.at = -1
		}
	}
	*r = row{}
}
