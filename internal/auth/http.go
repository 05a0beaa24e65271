package auth

import (
	"encoding/json"
	"net/http"
)

// HTTP makes a handler ask for tokens. The body of a request that is refused is
// not looked at.
func (g *Guard) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusal := g.Check(RequestRole(r), bearer(r.Header.Values("Authorization"))); refusal != nil {
			refusal.answer(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (r *Refusal) answer(w http.ResponseWriter) {
	code := http.StatusUnauthorized
	if r.Known {
		code = http.StatusForbidden
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="stampede"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	body, err := json.Marshal(struct {
		Detail string `json:"detail"`
		Hint   string `json:"hint,omitempty"`
	}{r.Message, r.Hint})
	if err == nil { // two strings can always be written
		_, _ = w.Write(append(body, '\n'))
	}
}
