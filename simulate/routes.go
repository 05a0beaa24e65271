package simulate

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// handle answers a request, or submits its reply to the scheduler, and reports
// whether the connection goes on.
func (s *Server) handle(c *conn, req request) bool {
	if s.byPage(req.head) {
		return s.forbid(c, req)
	}
	if kind, ok := apis[req.path]; ok {
		if req.method == http.MethodPost {
			return s.complete(c, req, kind)
		}
		return s.simple(c, req, http.StatusMethodNotAllowed, "application/json",
			errorBody(http.StatusMethodNotAllowed, "Method Not Allowed", "MethodNotAllowed", ""))
	}
	s.acct.other(req.path)
	if strings.HasPrefix(req.path, "/v1/") && !s.authorized(req.head) {
		return s.simple(c, req, http.StatusUnauthorized, "application/json", unauthorizedBody())
	}
	status, contentType, body := s.route(req)
	return s.simple(c, req, status, contentType, body)
}

// simple answers at once.
func (s *Server) simple(c *conn, req request, status int, contentType string, body []byte) bool {
	_, err := c.answer(status, contentType, body, !req.keepAlive, req.method == http.MethodHead)
	return err == nil && req.keepAlive
}

// routes are all but completions; each has its method.
var routes = map[string]struct {
	method string // "" allows GET and POST
	serve  func(*Server, request) (status int, contentType string, body []byte)
}{
	"/v1/models":          {http.MethodGet, (*Server).models},
	"/health":             {http.MethodGet, (*Server).health},
	"/ping":               {http.MethodGet, (*Server).health},
	"/version":            {http.MethodGet, (*Server).version},
	"/metrics":            {http.MethodGet, (*Server).metrics},
	"/account":            {http.MethodGet, (*Server).accountLines},
	"/account/summary":    {http.MethodGet, (*Server).accountSummary},
	"/reset_prefix_cache": {http.MethodPost, (*Server).resetCache},
	"/flush_cache":        {"", (*Server).resetCache}, // SGLang took GET once
	"/tokenize":           {http.MethodPost, (*Server).tokenize},
}

func (s *Server) route(req request) (int, string, []byte) {
	r, ok := routes[req.path]
	method := req.method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch {
	case !ok:
		return http.StatusNotFound, "application/json", []byte(`{"detail":"Not Found"}` + "\n")
	case r.method != method && (r.method != "" || method != http.MethodGet && method != http.MethodPost):
		return http.StatusMethodNotAllowed, "application/json", []byte(`{"detail":"Method Not Allowed"}` + "\n")
	}
	return r.serve(s, req)
}

func (s *Server) authorized(h *head) bool {
	if s.cfg.APIKey.Empty() {
		return true
	}
	key, bearer := strings.CutPrefix(h.get("Authorization"), "Bearer ")
	return bearer && subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.APIKey.Reveal())) == 1
}

func unauthorizedBody() []byte {
	b, err := json.Marshal(map[string]any{"error": map[string]any{
		"message": "Incorrect API key provided.", "type": "invalid_request_error", "param": nil, "code": "invalid_api_key"}})
	if err != nil { // strings don't fail
		return nil
	}
	return append(b, '\n')
}

func asJSON(v any) (int, string, []byte) {
	b, err := json.Marshal(v)
	if err != nil {
		return http.StatusInternalServerError, "application/json", errorBody(500, err.Error(), "InternalServerError", "")
	}
	return http.StatusOK, "application/json", append(b, '\n')
}

func (s *Server) models(request) (int, string, []byte) {
	type model struct {
		ID          string `json:"id"`
		Root        string `json:"root,omitempty"`
		Parent      string `json:"parent,omitempty"`
		Object      string `json:"object"`
		Created     int64  `json:"created"`
		OwnedBy     string `json:"owned_by"`
		MaxModelLen int    `json:"max_model_len"`
	}
	var list []model
	for _, name := range s.cfg.Models {
		list = append(list, model{name, "", "", "model", s.created, "stampede", s.cfg.MaxModelLen})
	}
	for _, name := range s.cfg.Adapters {
		list = append(list, model{name, name, s.cfg.Models[0], "model", s.created, "stampede", s.cfg.MaxModelLen})
	}
	return asJSON(map[string]any{"object": "list", "data": list})
}

func (s *Server) health(request) (int, string, []byte) { return http.StatusOK, "text/plain", nil }

func (s *Server) version(request) (int, string, []byte) {
	return asJSON(map[string]string{"version": s.cfg.Version})
}

func (s *Server) metrics(request) (int, string, []byte) {
	var b bytes.Buffer
	s.meter.write(&b, s.cfg.Models[0])
	return http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", b.Bytes()
}

func (s *Server) accountLines(request) (int, string, []byte) {
	var b bytes.Buffer
	if err := writeLines(&b, s.acct.records()); err != nil {
		return asJSON(map[string]string{"error": err.Error()})
	}
	return http.StatusOK, "application/x-ndjson", b.Bytes()
}

func (s *Server) accountSummary(request) (int, string, []byte) { return asJSON(s.Summary()) }

func (s *Server) resetCache(request) (int, string, []byte) {
	s.cache.reset()
	s.acct.note(func(sum *Summary) { sum.CacheResets++ })
	return http.StatusOK, "text/plain", nil
}

// tokenizeRequest is the body of /tokenize: vLLM's and SGLang's with messages or
// prompt, llama.cpp's with content, TGI's with inputs.
type tokenizeRequest struct {
	apiRequest
	Content *string `json:"content"`
	Inputs  *string `json:"inputs"`
}

// tokenize counts as the completions routes do; its token ids mean nothing.
func (s *Server) tokenize(req request) (int, string, []byte) {
	var a tokenizeRequest
	err := json.Unmarshal(req.body, &a)
	plain := a.Content
	if plain == nil {
		plain = a.Inputs
	}
	if plain != nil {
		a.Prompt = textInput{text: *plain, set: true}
	}
	if err == nil && len(a.Messages) == 0 && !a.Prompt.set {
		err = errors.New("messages, prompt, content or inputs must be given")
	}
	if err != nil {
		return http.StatusBadRequest, "application/json", errorBody(400, err.Error(), "BadRequestError", "")
	}
	var p promptText
	kind := apiText
	if len(a.Messages) > 0 {
		kind = apiChat
	}
	s.gather(&a.apiRequest, &p, kind)
	n := s.tokens(&p)
	ids := make([]int, min(n, s.cfg.MaxModelLen))
	for i := range ids {
		ids[i] = i
	}
	switch {
	case a.Inputs != nil:
		return asJSON(tgiTokens(ids))
	case a.Content != nil:
		return asJSON(map[string]any{"tokens": ids})
	}
	return asJSON(map[string]any{"count": n, "max_model_len": s.cfg.MaxModelLen, "tokens": ids})
}

// tgiTokens are ids in TGI's form.
func tgiTokens(ids []int) []map[string]any {
	list := make([]map[string]any, len(ids))
	for i, id := range ids {
		list[i] = map[string]any{"id": id, "text": "", "start": 0, "stop": 0}
	}
	return list
}
