package controller

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/parquet"
)

// rows are some samples of one agent out of a run's segment.
type rows struct {
	run   journal.RunRecord
	agent string
	clock journal.ClockRecord
	batch wire.Batch
}

// each decodes the samples into s, one after the other, but for entries that
// were never sent: they have no row.
func (x *rows) each(d *wire.Decoder, s *measure.Sample, visit func() error) error {
	for encoded := range x.batch.Samples() {
		if err := d.Sample(encoded, s); err != nil {
			return err
		}
		if s.Status == measure.Unsent {
			continue
		}
		if err := visit(); err != nil {
			return err
		}
	}
	return nil
}

// sent are the samples as messages, but for entries that were never sent.
func (x *rows) sent() ([]*stampedev1.Sample, error) {
	b, err := x.batch.Proto()
	return slices.DeleteFunc(b.GetSamples(), func(s *stampedev1.Sample) bool {
		return s.GetOutcome() == stampedev1.Outcome_OUTCOME_UNSENT
	}), err
}

// segmentIndex is what a segment says beside its samples. Clocks come last in the
// file, so it is read through once for them.
type segmentIndex struct {
	run    journal.RunRecord
	shards map[wire.Ref]journal.ShardRecord
	clocks map[string]journal.ClockRecord // by agent id
}

// readRows hands a segment's samples to yield, batch by batch, in the order they
// came. A batch is valid until yield returns.
func readRows(path string, yield func(rows) error) error {
	index := segmentIndex{shards: map[wire.Ref]journal.ShardRecord{}, clocks: map[string]journal.ClockRecord{}}
	if err := eachRecord(path, index.add); err != nil {
		return err
	}
	return eachRecord(path, func(rec journal.Record) error {
		if rec.Kind != journal.KindBatch && rec.Kind != journal.KindFinal {
			return nil
		}
		b, err := wire.ParseBatch(rec.Payload)
		if err != nil {
			return fmt.Errorf("batch at byte %d: %w", rec.Offset, err)
		}
		return yield(index.rows(b))
	})
}

func eachRecord(path string, visit func(journal.Record) error) error {
	r, err := journal.NewReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(rec)
		}
		if err != nil {
			return err
		}
	}
}

func (x *segmentIndex) add(rec journal.Record) error {
	switch rec.Kind {
	case journal.KindRun:
		return rec.Decode(&x.run)
	case journal.KindShard:
		var s journal.ShardRecord
		if err := rec.Decode(&s); err != nil {
			return err
		}
		ref := wire.Ref{Attempt: s.Attempt}
		ref.Shard.Offset, ref.Shard.Stride = s.Offset, s.Stride
		x.shards[ref] = s
	case journal.KindClock:
		var c journal.ClockRecord
		if err := rec.Decode(&c); err != nil {
			return err
		}
		x.clocks[c.AgentID] = c
	}
	return nil
}

func (x *segmentIndex) rows(b wire.Batch) rows {
	ref := b.Ref
	ref.RunID = ""
	shard := x.shards[ref]
	return rows{run: x.run, agent: shard.Agent, clock: x.clocks[shard.AgentID], batch: b}
}

// placeOf is where a request lies on the run's time line; both may be Absent.
func placeOf(sent, intended int64) int64 {
	if sent != measure.Absent {
		return sent
	}
	return max(intended, 0)
}

// sameCorrection is how many samples from the first on share its correction.
func sameCorrection(clock journal.ClockRecord, samples []*stampedev1.Sample) (n int, correction int64) {
	at := func(s *stampedev1.Sample) int64 {
		if s.SentNanos == nil {
			return clock.At(placeOf(measure.Absent, s.GetIntendedNanos()))
		}
		return clock.At(s.GetSentNanos())
	}
	correction = at(samples[0])
	for n = 1; n < len(samples) && at(samples[n]) == correction; n++ {
	}
	return n, correction
}

// maxRowsBytes is about how much one answer of StreamSamples carries.
const maxRowsBytes = 1 << 20

// StreamSamples implements the rpc.
func (t testService) StreamSamples(req *stampedev1.StreamSamplesRequest, stream grpc.ServerStreamingServer[stampedev1.StreamSamplesResponse]) error {
	run, err := t.c.endedRun(req.GetTestId())
	if err == nil && run.StartTime.IsZero() {
		err = fmt.Errorf("run %s sent no load: %w", run.ID, errState)
	}
	if err != nil {
		return rpcError(err)
	}
	err = readRows(t.c.files.segment(run.TestID, run.ID), func(r rows) error {
		samples, err := r.sent()
		if err != nil {
			return err
		}
		for len(samples) > 0 {
			n, correction := sameCorrection(r.clock, samples)
			n = fill(samples[:n], maxRowsBytes)
			err := stream.Send(&stampedev1.StreamSamplesResponse{
				AnchorTime: timestamp(time.Unix(0, r.run.AnchorUnixNanos)), Agent: r.agent,
				CorrectionNanos: correction, FirstStagePhase: r.run.FirstStagePhase, Samples: samples[:n],
			})
			if err != nil {
				return err
			}
			samples = samples[n:]
		}
		return nil
	})
	if unreadable := (*fs.PathError)(nil); errors.As(err, &unreadable) {
		t.c.log.Error("rows can't be read", "run", run.ID, "err", err)
		err = fmt.Errorf("the rows of run %s were not kept: its journal could not be written: %w", run.ID, errState)
	}
	return rpcError(err)
}

// fill is how many samples go into about so many bytes, at least one.
func fill(samples []*stampedev1.Sample, limit int) int {
	size := 0
	for i, s := range samples {
		if size += proto.Size(s); size > limit && i > 0 {
			return i
		}
	}
	return len(samples)
}

// write keeps the artefacts of a run, and the same under the test's id, for it is
// the latest. What can't be written is logged: the report is in the store.
func (r *run) write(rep *report.Report, raw []byte, hash string) {
	for _, id := range []string{r.id, r.testID} {
		if id == r.id || r.trials <= 1 { // the test's report is that of all trials
			r.keep(r.artefact("report", id, ".json"), func(w io.Writer) error { return writeAll(w, raw) })
		}
		if hash != "" {
			r.keep(r.artefact("workload_hash", id, ".txt"), func(w io.Writer) error { return writeAll(w, []byte(hash+"\n")) })
		}
	}
	if r.segment.problem != nil || r.c.cfg.NoRows {
		return
	}
	r.keep(r.artefact("requests", r.id, ".jsonl"), func(lines io.Writer) error {
		return writeStream(r.artefact("requests", r.id, ".parquet"), func(columns io.Writer) error {
			return r.writeRows(rep, lines, columns)
		})
	})
	for _, ending := range []string{".jsonl", ".parquet"} {
		r.link(r.artefact("requests", r.id, ending), r.artefact("requests", r.testID, ending))
	}
}

func (r *run) artefact(kind, id, ending string) string {
	return r.c.files.artefact(r.testID, kind, id, ending)
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

func (r *run) keep(path string, write func(io.Writer) error) {
	if err := writeStream(path, write); err != nil {
		r.log.Error("artefact is not written", "err", err)
	}
}

// writeRows writes requests_ID.jsonl and requests_ID.parquet from the segment, in
// memory that does not grow with it.
func (r *run) writeRows(rep *report.Report, lines, columns io.Writer) error {
	buffered := bufio.NewWriterSize(lines, 1<<20)
	table := parquet.NewWriter(columns)
	var line []byte
	var d wire.Decoder
	var s measure.Sample
	err := readRows(r.c.files.segment(r.testID, r.id), func(batch rows) error {
		ctx := rep.RowContext(batch.agent, time.Unix(0, batch.run.AnchorUnixNanos), 0)
		ctx.FirstStagePhase = batch.run.FirstStagePhase
		return batch.each(&d, &s, func() error {
			ctx.Correction = batch.clock.At(placeOf(s.Sent, s.Intended))
			line = report.EncodeRow(line[:0], &ctx, &s)
			if _, err := buffered.Write(line); err != nil {
				return err
			}
			return table.Sample(&ctx, &s)
		})
	})
	return errors.Join(err, buffered.Flush(), table.Close())
}

func (r *run) link(from, to string) {
	if err := linkFile(from, to); err != nil {
		r.log.Error("artefact is not written", "err", err)
	}
}
