package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stampede-bench/stampede/internal/allow"
)

// reachURL goes the way to an endpoint step by step and stops where it ends.
func reachURL(ctx context.Context, o Options) []Finding {
	u, err := url.Parse(o.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return []Finding{finding("url", Fail, "--url http://host:8000/v1", "%q is no address of an endpoint", shown(u, o.URL))}
	}
	w := &way{o: o, url: u}
	for _, step := range []func(context.Context) bool{w.resolve, w.dial, w.handshake, w.models} {
		if !w.step(ctx, step) {
			break
		}
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
	return w.findings
}

// shown is a URL without user, password and query.
func shown(u *url.URL, raw string) string {
	if u == nil {
		return strings.SplitN(raw, "?", 2)[0]
	}
	c := *u
	c.User, c.RawQuery, c.Fragment = nil, "", ""
	return c.String()
}

// way is the way to an endpoint.
type way struct {
	o        Options
	url      *url.URL
	addrs    []string
	conn     net.Conn
	findings []Finding
}

func (w *way) step(ctx context.Context, do func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	return do(ctx)
}

func (w *way) add(check string, level Level, fix, format string, args ...any) bool {
	w.findings = append(w.findings, finding(check, level, fix, format, args...))
	return level != Fail
}

func (w *way) port() string {
	if p := w.url.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[w.url.Scheme]
}

func (w *way) resolve(ctx context.Context) bool {
	host := w.url.Hostname()
	if net.ParseIP(host) != nil {
		w.addrs = []string{host}
		return true
	}
	begin := time.Now()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return w.add("url: dns", Fail, "check the name, /etc/resolv.conf and /etc/hosts", "%s can't be resolved: %v", host, err)
	}
	w.addrs = addrs
	const most = 4
	list := strings.Join(addrs[:min(len(addrs), most)], ", ")
	if len(addrs) > most {
		list += fmt.Sprintf(" and %d more", len(addrs)-most)
	}
	return w.add("url: dns", OK, "", "%s is %s, in %s", host, list, short(time.Since(begin)))
}

// connect dials as a run would: no metadata address, and nothing that Options.Allow
// refuses, whatever a name is resolved to meanwhile.
func (w *way) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host := w.url.Hostname()
	d := net.Dialer{Control: func(_, resolved string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("address %q of %s: %w", resolved, host, err)
		}
		if err := anywhere.Check(host, addr); err != nil || w.o.Allow == nil {
			return err
		}
		return w.o.Allow(host, addr)
	}}
	return d.DialContext(ctx, network, address)
}

// anywhere is everything but metadata addresses.
var anywhere *allow.List

// dial takes the first address that answers.
func (w *way) dial(ctx context.Context) bool {
	var err error
	for i, addr := range w.addrs {
		at := net.JoinHostPort(addr, w.port())
		limit, cancel := context.WithTimeout(ctx, w.o.Timeout/time.Duration(len(w.addrs)-i))
		begin := time.Now()
		w.conn, err = w.connect(limit, "tcp", at)
		cancel()
		if err == nil {
			return w.add("url: tcp", OK, "", "%s answers in %s", at, short(time.Since(begin)))
		}
	}
	return w.add("url: tcp", Fail, fmt.Sprintf("is the server up, does it listen on %s beyond its loopback, and does a firewall let it through?", w.port()), "no connection: %v", err)
}

func (w *way) handshake(ctx context.Context) bool {
	if w.url.Scheme != "https" {
		return true
	}
	begin := time.Now()
	c := tls.Client(w.conn, &tls.Config{ServerName: w.url.Hostname()})
	if err := c.HandshakeContext(ctx); err != nil {
		return w.add("url: tls", Fail, "is it https at all, and is its certificate signed by an authority that this host knows (SSL_CERT_FILE)?", "no handshake: %v", err)
	}
	s := c.ConnectionState()
	w.conn = c
	text := tls.VersionName(s.Version)
	if len(s.PeerCertificates) > 0 {
		left := time.Until(s.PeerCertificates[0].NotAfter)
		if left < 7*24*time.Hour {
			return w.add("url: tls", Warn, "renew the certificate", "%s in %s, but the certificate ends in %.1f days", text, short(time.Since(begin)), left.Hours()/24)
		}
		text += fmt.Sprintf(", certificate good for %.0f days", left.Hours()/24)
	}
	return w.add("url: tls", OK, "", "%s, in %s", text, short(time.Since(begin)))
}

// maxList bounds what is read of a list of models.
const maxList = 4 << 20

// models asks for the list of models, as a run would.
func (w *way) models(ctx context.Context) bool {
	const check = "url: models"
	u := *w.url
	u.RawQuery, u.Fragment, u.User = "", "", nil
	u.Path = strings.TrimSuffix(u.Path, "/") + "/models"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return w.add(check, Fail, "", "no request can be made of %s", u.String())
	}
	if !w.o.Key.Empty() {
		req.Header.Set("Authorization", "Bearer "+w.o.Key.Reveal())
	}
	// A run uses no proxy and follows no redirect either.
	client := &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: w.connect},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	begin := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return w.add(check, Fail, "see the server's log", "GET %s: %v", u.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxList))
	if err != nil {
		return w.add(check, Fail, "see the server's log", "GET %s: the answer broke off: %v", u.Path, err)
	}
	f := judgeModels(resp.StatusCode, body, &w.o, shown(w.url, ""))
	if f.Level == OK {
		f.Message += ", in " + short(time.Since(begin))
	}
	w.findings = append(w.findings, f)
	return f.Level != Fail
}

// judgeModels says what an answer to GET models means.
func judgeModels(status int, body []byte, o *Options, base string) Finding {
	const check = "url: models"
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return finding(check, Fail, keyFix(o), "HTTP %d: the endpoint %s", status, map[bool]string{true: "wants a key", false: "refused the key"}[o.Key.Empty()])
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status/100 == 3:
		return finding(check, Warn, fmt.Sprintf("is %s the base of the API? It usually ends in /v1. If it is, name the model with --model", base), "HTTP %d: the endpoint lists no models there", status)
	case status/100 != 2:
		return finding(check, Fail, "see the server's log; --wait-ready 120s waits while it starts", "HTTP %d", status)
	case json.Unmarshal(body, &list) != nil:
		return finding(check, Warn, fmt.Sprintf("is %s the base of the API? It usually ends in /v1", base), "HTTP %d, but it is no list of models", status)
	}
	var names []string
	for _, m := range list.Data {
		if m.ID != "" {
			names = append(names, m.ID)
		}
	}
	if len(names) == 0 {
		return finding(check, Warn, "name the model with --model", "the endpoint lists no model")
	}
	slices.Sort(names)
	const most = 5
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return finding(check, OK, "", "the endpoint serves %s", text)
}

func keyFix(o *Options) string {
	switch {
	case o.KeyEnv == "":
		return "--api-key-env NAME takes it from that environment variable"
	case o.Key.Empty():
		return fmt.Sprintf("the environment variable %s is empty: export %s=…", o.KeyEnv, o.KeyEnv)
	}
	return fmt.Sprintf("check the key in %s", o.KeyEnv)
}

// reachController asks a controller for its agents.
func reachController(ctx context.Context, o Options) Finding {
	const check = "controller"
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	begin := time.Now()
	n, err := o.AskController(ctx)
	switch {
	case err != nil:
		return finding(check, Fail, "is it up (stampede controller), and is the address its gRPC address?", "%s does not answer: %v", o.Controller, err)
	case n == 0:
		return finding(check, Warn, "stampede agent --controller "+o.Controller, "%s answers in %s, but no agent is connected", o.Controller, short(time.Since(begin)))
	}
	return finding(check, OK, "", "%s answers in %s, agents connected: %d", o.Controller, short(time.Since(begin)), n)
}
