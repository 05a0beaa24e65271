package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

func (g *Gateway) seedRegister(w http.ResponseWriter, r *seedRequest) {
	if t := g.register(w, r); t != nil {
		writeJSON(w, http.StatusOK, t.ID)
	}
}

func (g *Gateway) seedRegisterAndStart(w http.ResponseWriter, r *seedRequest) {
	t := g.register(w, r)
	if t == nil {
		return
	}
	if err := g.cfg.Control.Start(t.ID); err != nil {
		writeSeedError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, t.ID)
}

// register answers itself, with nil, when the body is wrong.
func (g *Gateway) register(w http.ResponseWriter, r *seedRequest) *store.Test {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeDetail(w, http.StatusBadRequest, "the body can't be read")
		return nil
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		writeFaults(w, fault{Loc: []any{"body"}, Msg: "Field required", Type: "missing"})
		return nil
	}
	parsed, err := workload.ParseSeed(body)
	if err != nil {
		writeSeedError(w, parsed.AllFaults(err, g.cfg.Control.Faults(parsed.Partial)))
		return nil
	}
	t, err := g.cfg.Control.Register(NewTest{
		ID: parsed.TestID, Spec: parsed.Spec, Body: workload.MaskBody(body), Notices: parsed.Notices,
	})
	var errs workload.Errors
	if errors.As(err, &errs) {
		err = parsed.Relocate(errs)
	}
	if err != nil {
		writeSeedError(w, err)
		return nil
	}
	return t
}

func (g *Gateway) seedStart(w http.ResponseWriter, r *seedRequest) {
	t, _ := g.find(r.id)
	if t == nil {
		writeJSON(w, http.StatusNotFound, cannotFind(r.id))
		return
	}
	err := g.cfg.Control.Start(t.ID)
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, "OK")
	case isNotFound(err):
		writeJSON(w, http.StatusNotFound, cannotFind(r.id))
	case isRunning(err):
		writeJSON(w, http.StatusOK, fmt.Sprintf("Test %s is already running", shown(r.id)))
	default:
		writeSeedError(w, err)
	}
}

func cannotFind(id string) string { return "Cannot find test " + shown(id) }

// find returns what an id names: a test and its latest run, or the run.
func (g *Gateway) find(id string) (*store.Test, *store.Run) {
	return g.cfg.Store.TestAndRun(nil, id)
}

func (g *Gateway) seedStatus(w http.ResponseWriter, r *seedRequest) {
	t, run := g.find(r.id)
	if t == nil {
		writeJSON(w, http.StatusOK, cannotFind(r.id))
		return
	}
	writeJSON(w, http.StatusOK, seedState(run))
}

// seedState is a run's state in the original's words.
func seedState(run *store.Run) string {
	if run == nil {
		return "init"
	}
	switch run.State {
	case stampedev1.State_STATE_SUCCEEDED:
		return "finish"
	case stampedev1.State_STATE_FAILED, stampedev1.State_STATE_CANCELLED:
		return "error"
	case stampedev1.State_STATE_RUNNING, stampedev1.State_STATE_DRAINING:
		return "running"
	default:
		return "pending"
	}
}

func (g *Gateway) seedConfig(w http.ResponseWriter, r *seedRequest) {
	t, _ := g.find(r.id)
	switch {
	case t == nil:
		writeJSON(w, http.StatusOK, nil)
	case t.Body != nil:
		writeRaw(w, http.StatusOK, t.Body)
	default: // it came by another way, as a spec
		writeJSON(w, http.StatusOK, t.Spec)
	}
}

func (g *Gateway) seedModel(w http.ResponseWriter, r *seedRequest) {
	model := ""
	if t, _ := g.find(r.id); t != nil {
		model = t.Spec.Endpoint.Model
	}
	writeJSON(w, http.StatusOK, model)
}

func (g *Gateway) seedError(w http.ResponseWriter, r *seedRequest) {
	text := shown(r.id) + " has no error"
	if _, run := g.find(r.id); run != nil && seedState(run) == "error" {
		text = run.Reason
		if text == "" {
			text = "the run has failed"
		}
		if run.Hint != "" {
			text += "; " + run.Hint
		}
	}
	writeJSON(w, http.StatusOK, text)
}

// seedTime is how the original writes a moment, in the controller's time zone.
const seedTime = "2006-01-02 15:04:05"

func (g *Gateway) seedList(w http.ResponseWriter, _ *seedRequest) {
	list := [][3]string{}
	for t := range g.tests() {
		list = append(list, [3]string{t.ID, t.Nickname, t.CreateTime.Local().Format(seedTime)})
	}
	writeJSON(w, http.StatusOK, list)
}

// pageSize is how many tests are taken from the store at once.
const pageSize = 1000

// tests yields all tests, newest first.
func (g *Gateway) tests() func(yield func(*store.Test) bool) {
	return func(yield func(*store.Test) bool) {
		for token := ""; ; {
			page, next, err := g.cfg.Store.Tests(pageSize, token)
			if err != nil {
				g.log.Error("tests can't be listed", "err", err)
				return
			}
			for _, t := range page {
				if !yield(t) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}

// maxNickname bounds a nickname, in bytes.
const maxNickname = 200

func (g *Gateway) seedNickname(w http.ResponseWriter, r *seedRequest) {
	query := r.URL.Query()
	name := query.Get("nickname")
	switch {
	case !query.Has("nickname"):
		writeFaults(w, queryFault("nickname", "Field required", "missing"))
		return
	case len(name) > maxNickname:
		writeFaults(w, queryFault("nickname", fmt.Sprintf("String should have at most %d characters", maxNickname), "string_too_long"))
		return
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		writeFaults(w, queryFault("nickname", "String should not contain control characters", "value_error"))
		return
	}
	if t, _ := g.find(r.id); t != nil {
		if err := g.cfg.Store.SetNickname(t.ID, name); err != nil && !errors.Is(err, store.ErrNotExist) {
			writeDetail(w, http.StatusInternalServerError, err.Error())
			return
		}
	}
	writeJSON(w, http.StatusOK, "OK")
}

// deleted is the answer of the later spelling.
type deleted struct {
	Files   []string `json:"deleted_files"`
	Message string   `json:"message"`
}

func (g *Gateway) seedDelete(w http.ResponseWriter, r *seedRequest) {
	files := []string{}
	if t, _ := g.find(r.id); t != nil {
		gone, err := g.cfg.Control.Delete(t.ID)
		if err != nil && !isNotFound(err) {
			writeSeedError(w, err)
			return
		}
		files = append(files, gone...)
	}
	if !r.later {
		writeJSON(w, http.StatusOK, "OK")
		return
	}
	writeJSON(w, http.StatusOK, deleted{files, fmt.Sprintf("Test %s and associated files deleted successfully", shown(r.id))})
}

// deletedAll is the answer to deleting all tests.
type deletedAll struct {
	IDs     []string    `json:"deleted_ids"`
	Message string      `json:"message,omitempty"`
	Errors  [][2]string `json:"errors,omitempty"` // id and what is in the way
	Files   []string    `json:"deleted_files"`
}

func (g *Gateway) seedDeleteAll(w http.ResponseWriter, _ *seedRequest) {
	all := deletedAll{IDs: []string{}, Files: []string{}}
	for t := range g.tests() {
		files, err := g.cfg.Control.Delete(t.ID)
		switch {
		case err == nil:
			all.IDs, all.Files = append(all.IDs, t.ID), append(all.Files, files...)
		case !isNotFound(err):
			all.Errors = append(all.Errors, [2]string{t.ID, problemText(err)})
		}
	}
	if len(all.Errors) == 0 {
		all.Message = "All tests and associated files deleted successfully."
	}
	writeJSON(w, http.StatusOK, all)
}
