package export

import "strconv"

// guidellmRows yields the requests of a class.
func (d *data) guidellmRows(class guidellmClass) func(yield func(object) bool) {
	figures := guidellmFigures(d)
	return func(yield func(object) bool) {
		for i := range d.requests {
			q := &d.requests[i]
			if q.class() == class && !yield(d.guidellmRow(q, figures)) {
				return
			}
		}
	}
}

func (d *data) guidellmRow(q *request, figures []guidellmFigure) object {
	o := object{
		{"type_", "generative_request_stats"},
		{"request_id", d.r.ID + "-" + strconv.FormatInt(q.index, 10)},
		{"info", object{
			{"status", guidellmStatus(q.class())}, {"error", nullIfEmpty(q.problem())},
			{"timings", object{
				{"targeted_start", unixSeconds(q.intended)}, {"scheduled_at", unixSeconds(q.intended)},
				{"resolve_start", unixSeconds(q.sent)}, {"request_start", unixSeconds(q.sent)},
				{"first_token_iteration", unixSeconds(q.firstToken)}, {"first_output_token_iteration", unixSeconds(q.firstOutput)},
				{"last_token_iteration", unixSeconds(q.lastToken)}, {"request_end", unixSeconds(q.end)}, {"resolve_end", unixSeconds(q.end)},
			}},
		}},
		{"prompt_tokens", countOrNull(q.input)}, {"output_tokens", countOrNull(q.output)},
		{"finish_reason", nullIfEmpty(q.finish)},
	}
	for _, f := range figures {
		switch f.name {
		case "prompt_token_count", "output_token_count", "total_token_count":
			continue
		}
		if v, _, ok := f.figure(q); ok {
			o.add(f.name, v)
		} else {
			o.add(f.name, nil)
		}
	}
	return o
}

func guidellmStatus(c guidellmClass) string {
	return [classes]string{"completed", "cancelled", "errored"}[c]
}

func countOrNull(n int32) any {
	if n < 0 {
		return nil
	}
	return n
}
