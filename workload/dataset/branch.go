package dataset

import "slices"

// Branch lists the turns that lead to turn t, itself the last, from the first one
// on: all before it, but where the conversation branches.
func Branch(turns []Turn, t int) []int {
	var path []int
	for t = min(t, len(turns)-1); t >= 0; {
		path = append(path, t)
		if t == 0 {
			break
		}
		t -= 1 + turns[t].Skip
	}
	slices.Reverse(path)
	return path
}
