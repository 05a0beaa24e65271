package gateway

import (
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/workload"
)

// fault is one entry of a list of what is wrong with a request, in the shape that
// clients of the original know.
type fault struct {
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

func writeFaults(w http.ResponseWriter, faults ...fault) {
	writeJSON(w, http.StatusUnprocessableEntity, map[string][]fault{"detail": faults})
}

// bodyFaults are errors in a body.
func bodyFaults(errs workload.Errors) []fault {
	faults := make([]fault, len(errs))
	for i, e := range errs {
		faults[i] = fault{Loc: append([]any{"body"}, e.Loc()...), Msg: e.Message, Type: e.Type}
		if e.Hint != "" {
			faults[i].Msg += " (" + e.Hint + ")"
		}
		if e.Type == "" {
			faults[i].Type = "value_error"
		}
	}
	return faults
}

func queryFault(name, msg, kind string) fault {
	return fault{Loc: []any{"query", name}, Msg: msg, Type: kind}
}

// writeSeedError answers with what the controller said to a call.
func writeSeedError(w http.ResponseWriter, err error) {
	var errs workload.Errors
	if errors.As(err, &errs) {
		writeFaults(w, bodyFaults(errs)...)
		return
	}
	writeDetail(w, statusOf(status.Code(err)), problemText(err))
}

// problemText is what the controller said, with its hint.
func problemText(err error) string {
	p := problemOf(status.Convert(err))
	if p.Hint != "" {
		p.Detail += "; " + p.Hint
	}
	return p.Detail
}

func isNotFound(err error) bool { return status.Code(err) == codes.NotFound }

func isRunning(err error) bool { return status.Code(err) == codes.FailedPrecondition }
