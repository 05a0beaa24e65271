package export

import (
	"bufio"
	"cmp"
	"fmt"
	"strconv"

	"github.com/stampede-bench/stampede/report"
)

// aiperfLines write a line a request as the rows come; none is kept.
func aiperfLines(d *data, rows Rows) func(w *bufio.Writer) error {
	return func(w *bufio.Writer) error {
		one := &data{r: d.r, spec: d.spec, streaming: d.streaming}
		for row, err := range rows() {
			if err != nil {
				return fmt.Errorf("read rows: %w", err)
			}
			if row.Stage == nil {
				continue
			}
			one.requests, one.gaps = one.requests[:0], one.gaps[:0]
			one.add(&row)
			if err := aiperfLine(one, &row).line(w); err != nil {
				return err
			}
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		return nil
	}
}

// aiperfLine is the record of the only request in d.
func aiperfLine(d *data, row *report.Row) object {
	q := &d.requests[0]
	cancelled := q.status == "cancelled"
	var cancelledAt any
	if cancelled {
		cancelledAt = nanos(q.end)
	}
	metadata := object{
		{"session_num", q.index}, {"x_request_id", row.ID}, {"x_correlation_id", d.r.ID + "-session-" + strconv.FormatInt(q.session, 10)},
		{"conversation_id", "session_" + strconv.FormatInt(q.session, 10)}, {"turn_index", q.turn},
		{"request_start_ns", nanos(q.sent)}, {"request_ack_ns", nanos(q.headers)}, {"request_end_ns", nanos(q.end)},
		{"worker_id", q.agent}, {"record_processor_id", q.agent}, {"benchmark_phase", "profiling"},
		{"was_cancelled", cancelled}, {"cancellation_time_ns", cancelledAt},
	}
	var metrics object
	value := func(tag string, v any, unit string) {
		metrics.add(tag, object{{"value", v}, {"unit", unit}})
	}
	if q.ok() {
		for _, m := range d.aiperfMetrics() {
			if v, has := m.figure(q); has {
				value(m.tag, v*m.factor, m.unit)
			}
		}
		if len(d.gaps) > 0 && d.streaming {
			gaps := make([]float64, len(d.gaps))
			for i, g := range d.gaps {
				gaps[i] = float64(g) / 1e6
			}
			value("inter_chunk_latency", gaps, "ms")
		}
	}
	var problem any
	if !q.ok() {
		problem = object{{"code", q.aiperfCode()}, {"type", aiperfType(cmp.Or(q.kind, q.status))}, {"message", q.message}}
	}
	return object{{"metadata", metadata}, {"metrics", metrics}, {"error", problem}}
}

func nanos(at int64) any {
	if at == absent {
		return nil
	}
	return at
}
