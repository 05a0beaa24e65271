package measure

// trend follows a stage over the thirds of its dispatch window: how many requests
// were in flight, and how long those intended in it waited for their first token
// (for the whole reply, where nothing is streamed).
type trend struct {
	begin, end int64
	busy       [3]int64 // nanoseconds of requests in flight
	waited     [3]float64
	answered   [3]int64
}

// A stage is building up load when both rise from third to third by more than
// a tenth. Fewer answers than these can't show it.
const (
	rise          = 1.1
	leastAnswered = 10 // in each third
)

func (t *trend) fold(x *Sample) {
	if x.Sent == Absent || t.end <= t.begin {
		return
	}
	for i := range t.busy {
		if x.End == Absent {
			break
		}
		t.busy[i] += max(min(x.End, t.edge(i+1))-max(x.Sent, t.edge(i)), 0)
	}
	v, ok := x.TTFT()
	if !ok {
		v, ok = x.E2E()
	}
	if !ok || x.Status != Succeeded || x.Intended == Absent {
		return
	}
	i := min(max((x.Intended-t.begin)*3/(t.end-t.begin), 0), 2)
	t.waited[i] += float64(v)
	t.answered[i]++
}

// edge is where third i begins.
func (t *trend) edge(i int) int64 { return t.begin + (t.end-t.begin)*int64(i)/3 }

// buildsUp reports whether load was building up until dispatch ended.
func (t *trend) buildsUp() bool {
	for i := range 2 {
		if t.answered[i] < leastAnswered || t.answered[i+1] < leastAnswered {
			return false
		}
		before, after := t.waited[i]/float64(t.answered[i]), t.waited[i+1]/float64(t.answered[i+1])
		if after <= rise*before || float64(t.busy[i+1]) <= rise*float64(t.busy[i]) {
			return false
		}
	}
	return true
}

// BuildsUp reports whether requests in flight and the time to the first token both
// rose all through the stage that is phase i: the endpoint did not keep up, and how
// long the stage took decides what is measured.
func (iv *Intervals) BuildsUp(i int) bool {
	return iv != nil && i >= 0 && i < len(iv.trends) && iv.trends[i].buildsUp()
}

func (iv *Intervals) builtUp(sc Scope) bool {
	if sc != Measured {
		return iv.BuildsUp(int(sc))
	}
	for i := range iv.trends {
		if iv.BuildsUp(i) {
			return true
		}
	}
	return false
}
