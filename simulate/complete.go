package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// complete answers a request to one of the APIs and reports whether the connection
// goes on.
func (s *Server) complete(c *conn, req request, kind api) bool {
	rec := s.newRecord(c, req)
	s.acct.arrived(rec)
	if !s.authorized(req.head) {
		return s.refused(c, req, rec, http.StatusUnauthorized, "invalid API key", unauthorizedBody())
	}
	var a apiRequest
	st, err := s.prepare(c, req, rec, &a, kind)
	if err != nil {
		status, body := refusalBody(err)
		return s.refused(c, req, rec, status, err.Error(), body)
	}
	switch rec.Fault = st.fault.String(); st.fault.Kind {
	case FaultStatus:
		return s.faulted(c, req, rec, st.fault.Status, "application/json",
			errorBody(st.fault.Status, "simulated failure", http.StatusText(st.fault.Status), ""))
	case FaultHTML:
		return s.faulted(c, req, rec, http.StatusOK, "text/html; charset=utf-8",
			[]byte("<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><h1>It works</h1></body></html>\n"))
	case FaultGarbage:
		s.settleRecord(rec, req, StatusFaulted, 0, c.garble())
		return false
	case FaultErrorEvent:
		if !a.Stream {
			return s.faulted(c, req, rec, http.StatusInternalServerError, "application/json",
				errorBody(http.StatusInternalServerError, "simulated failure", "InternalServerError", ""))
		}
	}
	if s.cfg.QueueLimit > 0 && s.meter.waiting.Load() >= int64(s.cfg.QueueLimit) {
		body := errorBody(http.StatusTooManyRequests, "the queue is full", "TooManyRequests", "")
		return s.refused(c, req, rec, http.StatusTooManyRequests, "the queue is full", body)
	}
	c.active = st
	s.sched.submit(st)
	return true
}

func (s *Server) newRecord(c *conn, req request) *Record {
	sum := sha256.Sum256(req.body)
	rec := &Record{
		ID: req.get("X-Request-Id"), Attempt: 1, Connection: c.id, Sequence: c.served, Path: req.path,
		Arrival: req.came.unix, Stamp: stampProcess, BytesIn: req.size, BodyHash: hex.EncodeToString(sum[:]),
	}
	rec.TLS, rec.HTTP2 = c.tls, c.h2 != nil
	if req.came.kernel {
		rec.Stamp = stampKernel
	}
	if n, err := strconv.Atoi(req.get("X-Request-Attempt")); err == nil && n > 0 {
		rec.Attempt = n
	}
	return rec
}

// prepare makes the reply's script, or an error that says why there is none.
func (s *Server) prepare(c *conn, req request, rec *Record, a *apiRequest, kind api) (*stream, error) {
	if err := a.decode(req.body, kind); err != nil {
		return nil, err
	}
	rec.Stream = a.Stream
	if a.Model == "" {
		a.Model = s.cfg.Models[0]
	}
	if rec.Model = a.Model; !s.serves(a.Model) {
		return nil, wrongModel(a.Model)
	}
	s.gather(a, &c.prompt, kind)
	sum := c.prompt.hash()
	rec.PromptHash = hex.EncodeToString(sum[:])
	if n := s.cfg.AccountBlocks; n > 0 {
		for _, h := range c.prompt.blocks(nil, n) {
			rec.PromptBlocks = append(rec.PromptBlocks, strconv.FormatUint(h, 16))
		}
	}
	rec.InputTokens = max(1, s.tokens(&c.prompt))
	rec.OutputAsked = a.asked()
	rec.Images, rec.Sounds, rec.MediaTokens = c.prompt.images, c.prompt.sounds, c.prompt.mediaTokens
	rec.Inputs, rec.Tools = len(a.Input)+len(a.Documents), len(a.Tools)
	if rec.InputTokens+max(1, rec.OutputAsked) > s.cfg.MaxModelLen {
		return nil, tooLong(s.cfg.MaxModelLen, rec.InputTokens, rec.OutputAsked)
	}
	st := &stream{conn: c, rec: rec, came: req.came, done: make(chan struct{}), close: !req.keepAlive, bare: c.h2 != nil}
	seed := seedFor(s.cfg.Seed, rec.draws(), s.number.Add(1))
	st.pcg.Seed(seed, s.cfg.Seed)
	st.rng = rand.New(&st.pcg)
	if err := s.script(st, req.head, a, kind); err != nil {
		return nil, err
	}
	if s.cache != nil {
		known := int(float64(s.cache.take(&c.prompt)) * s.cfg.TokensPerWord)
		rec.CachedTokens = min(known, rec.InputTokens-1)
		s.meter.cacheQueries.Add(int64(rec.InputTokens))
		s.meter.cacheHits.Add(int64(rec.CachedTokens))
	}
	s.meter.prompt.Add(int64(rec.InputTokens))
	st.ttft += int64(s.cfg.PrefillPerToken) * int64(rec.InputTokens-rec.CachedTokens)
	s.shapeReply(st, a, kind, seed)
	st.framed = req.minor == 1
	return st, nil
}

func (s *Server) serves(model string) bool {
	return slices.Contains(s.cfg.Models, model) || slices.Contains(s.cfg.Adapters, model)
}

// script draws the reply's timing, length and fault, from the configuration or
// the request's own headers.
func (s *Server) script(st *stream, h *head, a *apiRequest, kind api) error {
	ttft, err := distHeader(h, "X-Sim-TTFT", s.timing.ttft, parseDurationDist)
	if err != nil {
		return err
	}
	if st.itl, err = distHeader(h, "X-Sim-ITL", s.timing.itl, parseDurationDist); err != nil {
		return err
	}
	natural, err := distHeader(h, "X-Sim-Tokens", s.timing.tokens, parseCountDist)
	if err != nil {
		return err
	}
	if text := h.get("X-Sim-Fault"); text != "" {
		if st.fault, err = ParseFault(text); err != nil {
			return badRequest("X-Sim-Fault: %v", err)
		}
	} else {
		st.fault = s.pickFault(st.rng)
	}
	st.ttft = ttft.draw(st.rng)
	if s.cfg.Blast {
		st.itl = dist{}
	}
	st.early = s.cfg.EarlyHeaders && a.Stream
	st.total, st.reason = s.length(st, a, natural, h.get("X-Sim-Tokens") != "")
	switch {
	case kind == apiChat:
		st.thinking = min(s.cfg.ReasoningTokens, st.total)
	case kind.vectors() && st.total > 0:
		st.total = 1 // the result, which comes when the first token would
	}
	return nil
}

// length is how many tokens the reply has, and why it ends there.
func (s *Server) length(st *stream, a *apiRequest, natural dist, forced bool) (int, string) {
	room := s.cfg.MaxModelLen - st.rec.InputTokens
	n, reason := a.asked(), "length"
	switch {
	case st.fault.Kind == FaultEmpty:
		return 0, "stop"
	case forced || n == 0:
		n, reason = int(max(1, natural.draw(st.rng))), "stop"
		if !forced {
			n = max(n, int(a.MinTokens))
		}
	}
	if s.timing.hasEOS && !a.IgnoreEOS && !forced {
		if end := max(int(max(1, s.timing.eos.draw(st.rng))), int(a.MinTokens)); end < n {
			n, reason = end, "stop"
		}
	}
	if n > room {
		n, reason = room, "length"
	}
	return n, reason
}

func (s *Server) pickFault(rng *rand.Rand) Fault {
	for _, r := range s.timing.faults {
		if r.strikes(rng) {
			return r.fault
		}
	}
	return Fault{}
}

func distHeader(h *head, name string, def dist, parse func(string) (dist, error)) (dist, error) {
	text := h.get(name)
	if text == "" {
		return def, nil
	}
	d, err := parse(text)
	if err != nil {
		return d, badRequest("%s: %v", name, err)
	}
	return d, nil
}

// shapeReply sets what the reply looks like.
func (s *Server) shapeReply(st *stream, a *apiRequest, kind api, seed uint64) {
	shape, tool := s.textShape, ""
	if kind == apiChat {
		shape, tool = s.chatShape, a.called()
	}
	if tool != "" {
		st.reason, st.rec.ToolTokens = "tool_calls", st.total-st.thinking
	}
	st.reply = reply{
		shape: shape, seed: seed, vocab: s.vocab, logprobs: a.wantsLogprobs(), tokenIDs: a.ReturnTokenIDs,
		prompt: st.rec.InputTokens, cached: st.rec.CachedTokens, cacheOn: s.cache != nil,
		tool: tool, kind: kind, results: st.rec.Inputs,
		total: st.total, thinking: st.thinking, perChunk: s.cfg.TokensPerChunk, reason: st.reason,
	}
	if o := a.StreamOptions; o != nil && !s.cfg.NoUsage {
		st.usageAtEnd, st.usageEach = o.IncludeUsage, o.ContinuousUsage && o.IncludeUsage
		st.nullUsage = st.usageAtEnd && !st.usageEach && shape.name == ShapeOpenAI
	}
	id := st.rec.ID
	if id == "" {
		id = fmt.Sprintf("%016x", mix(seed))
	}
	created := time.Unix(0, st.came.unix).Unix()
	if a.Stream {
		st.makeCommon(id, a.Model, created)
		return
	}
	st.usageAtEnd = !s.cfg.NoUsage
	s.makeWhole(st, id, a.Model, created)
}

// makeWhole builds a reply that is not streamed. It is due with its last token.
func (s *Server) makeWhole(st *stream, id, model string, created int64) {
	st.promptNanos = st.ttft
	for range st.total - 1 {
		st.predictNanos += st.gap(1)
	}
	st.ttft += st.predictNanos
	body := st.appendWhole(make([]byte, 0, 512+8*st.total), id, model, created)
	if st.fault.Kind == FaultMalformedEvent {
		body = body[:len(body)*3/4]
	}
	if st.bare {
		st.whole = body
		return
	}
	b := appendResponseHead(make([]byte, 0, 160+len(body)), http.StatusOK, "application/json", len(body), st.close)
	st.wholeBody = len(b)
	st.whole = append(b, body...)
}

// refusalBody is how an error is answered.
func refusalBody(err error) (int, []byte) {
	var r *refusal
	if errors.As(err, &r) {
		return r.status, errorBody(r.status, r.message, r.kind, r.param)
	}
	return http.StatusBadRequest, errorBody(http.StatusBadRequest, err.Error(), "BadRequestError", "")
}

func (s *Server) refused(c *conn, req request, rec *Record, status int, why string, body []byte) bool {
	rec.Error = why
	return s.atOnce(c, req, rec, StatusRefused, status, "application/json", body)
}

func (s *Server) faulted(c *conn, req request, rec *Record, status int, contentType string, body []byte) bool {
	return s.atOnce(c, req, rec, StatusFaulted, status, contentType, body)
}

// atOnce answers without the scheduler and closes the record.
func (s *Server) atOnce(c *conn, req request, rec *Record, became string, status int, contentType string, body []byte) bool {
	n, err := c.answer(status, contentType, body, !req.keepAlive, false)
	s.settleRecord(rec, req, became, status, n)
	return err == nil && req.keepAlive
}

func (s *Server) settleRecord(rec *Record, req request, became string, status int, bytesOut int64) {
	rec.Status, rec.HTTPStatus, rec.BytesOut = became, status, bytesOut
	rec.End = req.came.at(clock.Now())
	s.acct.ended(rec)
}
