package measure

// A lane counts one phase's requests along the time line, by when they were sent:
// where a phase's dispatch ended is often known only afterwards. When it outgrows
// maxLane, pairs of bins are joined.
const maxLane = 1 << 15 // 5 minutes of bins at first, 128 KiB

type lane struct {
	width int64
	bins  []int32
}

func newLane() lane { return lane{width: binNanos} }

func (l *lane) add(nanos int64, n int32) {
	i := max(nanos, 0) / l.width
	for i >= maxLane {
		l.join()
		i /= 2
	}
	for int64(len(l.bins)) <= i {
		l.bins = append(l.bins, 0)
	}
	l.bins[i] += n
}

func (l *lane) join() {
	joined := make([]int32, (len(l.bins)+1)/2)
	for i, n := range l.bins {
		joined[i/2] += n
	}
	l.bins, l.width = joined, 2*l.width
}

// until is how many lie before an instant; the bin it cuts is taken by the share
// that lies before.
func (l *lane) until(nanos int64) float64 {
	n := 0.0
	for i := range l.bins {
		begin := int64(i) * l.width
		if begin >= nanos {
			break
		}
		n += float64(l.bins[i]) * float64(min(nanos-begin, l.width)) / float64(l.width)
	}
	return n
}

func (l *lane) merge(o *lane) {
	other := *o
	for other.width < l.width {
		other.join()
	}
	for l.width < other.width {
		l.join()
	}
	for i, n := range other.bins {
		if n != 0 {
			l.add(int64(i)*l.width, n)
		}
	}
}
