package workload

import "github.com/stampede-bench/stampede/internal/draw"

// ModelOf is the model that session i asks: drawn by weight and seed where there
// are several, so that it is the same on every host.
func (s *Spec) ModelOf(i int64) string {
	list := s.Endpoint.Models
	if len(list) == 0 {
		return s.Endpoint.Model
	}
	sum := 0.0
	for _, m := range list {
		sum += m.Share()
	}
	at := draw.NewStream(s.Seed, "model", 0).Uniform(i, 0) * sum
	for _, m := range list {
		if at -= m.Share(); at <= 0 && m.Share() > 0 {
			return m.Name
		}
	}
	return list[len(list)-1].Name
}
