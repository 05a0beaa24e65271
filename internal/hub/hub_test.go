package hub_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/internal/hub/hubtest"
	"github.com/stampede-bench/stampede/internal/secret"
)

const repo = "owner/name"

func random(n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// rig is a hub with one open and one gated repository, and a client's cache.
type rig struct {
	t     *testing.T
	hub   *hubtest.Hub
	cache string
	large []byte
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, cache: t.TempDir(), large: random(300_000)}
	files := map[string][]byte{"README.md": []byte("# small\n"), "data/train-0.parquet": r.large, "a b/ü.json": []byte("[]")}
	r.hub = hubtest.New(map[string]*hubtest.Repository{
		"datasets/" + repo:     {Files: files},
		"datasets/owner/gated": {Files: files, Gated: true},
		"models/owner/model":   {Files: map[string][]byte{"tokenizer.json": []byte("{}")}},
	})
	t.Cleanup(r.hub.Close)
	return r
}

func (r *rig) client(change ...func(*hub.Config)) *hub.Client {
	r.t.Helper()
	cfg := hub.Config{Endpoint: r.hub.URL, CacheDir: r.cache}
	for _, f := range change {
		f(&cfg)
	}
	c, err := hub.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) get(c *hub.Client, path string) string {
	r.t.Helper()
	name, err := c.File(r.t.Context(), hub.Dataset, repo, "", path)
	if err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
	return name
}

func (r *rig) holds(name string, want []byte) {
	r.t.Helper()
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		r.t.Errorf("%s: %d bytes, want %d: %v", name, len(got), len(want), err)
	}
}

func TestFilesLieInTheCacheAsTheHubsLibrariesKeepThem(t *testing.T) {
	r := newRig(t)
	var shown []int64
	c := r.client(func(cfg *hub.Config) {
		cfg.Progress = func(_ string, done, total int64) { shown = append(shown, done, total) }
	})
	name := r.get(c, "data/train-0.parquet")
	r.holds(name, r.large)
	root := filepath.Join(r.cache, "datasets--owner--name")
	if want := filepath.Join(root, "snapshots", hubtest.Commit, "data", "train-0.parquet"); name != want {
		t.Errorf("it lies at %s, want %s", name, want)
	}
	to, err := os.Readlink(name)
	if err != nil || !strings.HasPrefix(to, "../../../blobs/") || len(filepath.Base(to)) != 64 {
		t.Errorf("the link leads to %s, %v", to, err)
	}
	ref, err := os.ReadFile(filepath.Join(root, "refs", "main"))
	if err != nil || string(ref) != hubtest.Commit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	if n := int64(len(r.large)); len(shown) < 2 || shown[len(shown)-2] != n || shown[len(shown)-1] != n {
		t.Errorf("progress %v", shown)
	}
	r.holds(r.get(c, "README.md"), []byte("# small\n"))
	r.holds(r.get(c, "a b/ü.json"), []byte("[]"))
	left, _ := filepath.Glob(filepath.Join(root, "blobs", "*.incomplete"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	r.hub.Requests()
	r.get(c, "data/train-0.parquet")
	if all := r.hub.Requests(); len(all) != 1 || all[0].Method != "HEAD" {
		t.Errorf("what is there was asked for by %+v", all)
	}
	if name, ok := c.Cached(hub.Dataset, repo, "", "README.md"); !ok || len(r.hub.Requests()) > 0 {
		t.Errorf("cached: %s, %v", name, ok)
	}
	if _, err := c.File(t.Context(), hub.Model, "owner/model", "", "tokenizer.json"); err != nil {
		t.Errorf("a model: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.cache, "models--owner--model", "snapshots", hubtest.Commit, "tokenizer.json")); err != nil {
		t.Error(err)
	}
}

func TestWhatOthersFetchedIsFound(t *testing.T) {
	r := newRig(t)
	name := filepath.Join(r.cache, "datasets--owner--name", "snapshots", hubtest.Commit, "mine.json")
	for path, text := range map[string]string{name: "[1]", filepath.Join(r.cache, "datasets--owner--name", "refs", "main"): hubtest.Commit} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	offline := r.client(func(c *hub.Config) { c.Offline = true })
	r.holds(r.get(offline, "mine.json"), []byte("[1]"))
	l, err := offline.List(t.Context(), hub.Dataset, repo, "")
	if err != nil || l.Commit != hubtest.Commit || len(l.Files) != 1 || l.Files[0] != "mine.json" {
		t.Errorf("listing %+v, %v", l, err)
	}
	_, err = offline.File(t.Context(), hub.Dataset, repo, "", "other.json")
	if err == nil || !strings.Contains(err.Error(), "owner/name/other.json: is not in the cache, and HF_HUB_OFFLINE forbids") || !strings.Contains(hub.Hint(err), "HF_HOME") {
		t.Errorf("%v (%s)", err, hub.Hint(err))
	}
	if n := len(r.hub.Requests()); n > 0 {
		t.Errorf("%d requests although offline", n)
	}
	// A commit never changes, so nobody is asked.
	if _, err := r.client().File(t.Context(), hub.Dataset, repo, hubtest.Commit, "mine.json"); err != nil || len(r.hub.Requests()) > 0 {
		t.Errorf("by commit: %v", err)
	}
	// A hub that can't be reached leaves the cache, and says so.
	r.hub.Close()
	var notices []string
	c := r.client(func(c *hub.Config) { c.Notice = func(text string) { notices = append(notices, text) } })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name, err = c.File(ctx, hub.Dataset, repo, "", "mine.json")
	if err != nil || len(notices) == 0 || !strings.Contains(notices[len(notices)-1], "the file of the cache is used") {
		t.Errorf("%s, %v, notices %q", name, err, notices)
	}
}

func TestTheTokenGoesToTheHubAlone(t *testing.T) {
	r := newRig(t)
	c := r.client(func(c *hub.Config) { c.Token = secret.New(r.hub.Token) })
	name, err := c.File(t.Context(), hub.Dataset, "owner/gated", "", "data/train-0.parquet")
	if err != nil {
		t.Fatal(err)
	}
	r.holds(name, r.large)
	hosts := map[string]int{}
	for _, q := range r.hub.Requests() {
		hosts[q.Host]++
		if sent := q.Authorization != ""; sent != (q.Host == "hub") {
			t.Errorf("%+v", q)
		}
	}
	if hosts["hub"] == 0 || hosts["cdn"] == 0 {
		t.Errorf("requests by host: %v", hosts)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	r := newRig(t)
	token := func(v string) func(*hub.Config) { return func(c *hub.Config) { c.Token = secret.New(v) } }
	for name, c := range map[string]struct {
		repo, rev, path, token, want, hint string
	}{
		"gated, no token":    {"owner/gated", "", "README.md", "", "401 Unauthorized: Access to dataset", "accept its conditions at " + r.hub.URL + "/datasets/owner/gated and then export HF_TOKEN"},
		"gated, other token": {"owner/gated", "", "README.md", "hf_other", "403 Forbidden", "the token's account has no access"},
		"bad token":          {repo, "", "README.md", "hf_bad", "401 Unauthorized: Invalid credentials", "/settings/tokens"},
		"no such repository": {"owner/none", "", "README.md", "", "401 Unauthorized", "does not exist, or is private or gated"},
		"none, with token":   {"owner/none", "", "README.md", "hf_other", "404 Not Found: Repository not found", "check the name at"},
		"no such file":       {repo, "", "none.json", "", "404 Not Found: Entry not found", "has no such file"},
		"no such revision":   {repo, "v9", "README.md", "", "404 Not Found: Invalid rev id: v9", "has no such revision"},
	} {
		_, err := r.client(token(c.token)).File(t.Context(), hub.Dataset, c.repo, c.rev, c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hub.Hint(err), c.hint) {
			t.Errorf("%s: %v (%s)", name, err, hub.Hint(err))
		}
		if c.token != "" && strings.Contains(err.Error()+hub.Hint(err), c.token) {
			t.Errorf("%s: the token is in %v", name, err)
		}
	}
	for _, path := range []string{"../x", "/etc/passwd", "a//b", "", "a/..", `a\b`} {
		if _, err := r.client().File(t.Context(), hub.Dataset, repo, "", path); err == nil {
			t.Errorf("path %q was taken", path)
		}
	}
	for _, name := range []string{"../x", "a/b/c", "a/..", "", "a--b/c"} {
		if _, err := r.client().File(t.Context(), hub.Dataset, name, "", "x"); err == nil {
			t.Errorf("repository %q was taken", name)
		}
	}
}

func TestDownloadsGoOnWhereTheyWereCut(t *testing.T) {
	r := newRig(t)
	r.hub.Fail(hubtest.Faults{Cut: 2, CutAt: 100_000})
	r.holds(r.get(r.client(), "data/train-0.parquet"), r.large)
	var ranges []string
	for _, q := range r.hub.Requests() {
		if q.Host == "cdn" {
			ranges = append(ranges, q.Range)
		}
	}
	if got := strings.Join(ranges, " "); got != " bytes=100000- bytes=200000-" {
		t.Errorf("asked for %q", got)
	}
}

func TestDownloadsOfAnEarlierProcessGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		left []byte
		want []string
	}{
		"a part":             {random(300_000)[:120_000], []string{"bytes=120000-"}},
		"another's part":     {random(200_000), []string{"bytes=200000-", ""}},
		"all of it":          {random(300_000), nil},
		"more than there is": {random(400_000), []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if name == "a part" || name == "all of it" {
				c.left = r.large[:len(c.left)]
			}
			etag := filepath.Base(func() string { to, _ := os.Readlink(newRigGot(t, r)); return to }())
			part := filepath.Join(r.cache, "datasets--owner--name", "blobs", etag+".incomplete")
			if err := os.RemoveAll(filepath.Join(r.cache, "datasets--owner--name")); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(part, c.left, 0o600); err != nil {
				t.Fatal(err)
			}
			r.hub.Requests()
			r.holds(r.get(r.client(), "data/train-0.parquet"), r.large)
			var ranges []string
			for _, q := range r.hub.Requests() {
				if q.Host == "cdn" {
					ranges = append(ranges, q.Range)
				}
			}
			if strings.Join(ranges, "|") != strings.Join(c.want, "|") || len(ranges) != len(c.want) {
				t.Errorf("asked for %q, want %q", ranges, c.want)
			}
		})
	}
}

func newRigGot(t *testing.T, r *rig) string {
	t.Helper()
	return r.get(r.client(), "data/train-0.parquet")
}

func TestFaultsThatPass(t *testing.T) {
	for name, f := range map[string]hubtest.Faults{
		"429":                            {Busy: 3},
		"503":                            {Broken: 3},
		"no ranges":                      {Cut: 1, CutAt: 70_000, NoRange: true},
		"the content changes on the way": {Cut: 1, CutAt: 70_000, Change: `"v1"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.hub.Fail(f)
			r.holds(r.get(r.client(), "data/train-0.parquet"), r.large)
		})
	}
}

func TestWrongContentIsRefused(t *testing.T) {
	r := newRig(t)
	r.hub.Fail(hubtest.Faults{Wrong: true})
	_, err := r.client().File(t.Context(), hub.Dataset, repo, "", "data/train-0.parquet")
	if err == nil || !strings.Contains(err.Error(), "its checksum is") || hub.Hint(err) == "" {
		t.Errorf("%v (%s)", err, hub.Hint(err))
	}
	left := 0
	_ = filepath.WalkDir(filepath.Join(r.cache, "datasets--owner--name"), func(_ string, d fs.DirEntry, _ error) error {
		if d != nil && !d.IsDir() {
			left++
		}
		return nil
	})
	if left > 0 {
		t.Errorf("%d files are left in the cache", left)
	}
}

func TestAChangedFileIsFetchedAnew(t *testing.T) {
	r := newRig(t)
	c := r.client()
	r.get(c, "README.md")
	r.hub.Put("datasets/"+repo, "README.md", []byte("# new\n"))
	r.holds(r.get(c, "README.md"), []byte("# new\n"))
}

func TestManyAskForOneFile(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			name, err := r.client().File(t.Context(), hub.Dataset, repo, "", "data/train-0.parquet")
			if err != nil {
				t.Error(err)
				return
			}
			r.holds(name, r.large)
		})
	}
	all.Wait()
	n := 0
	for _, q := range r.hub.Requests() {
		if q.Host == "cdn" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestNotAHub(t *testing.T) {
	r := newRig(t)
	_, err := r.client(func(c *hub.Config) { c.Endpoint = r.hub.CDN }).File(t.Context(), hub.Dataset, repo, "", "README.md")
	if err == nil {
		t.Error("what is no hub passes for one")
	}
	for _, e := range []string{"ftp://x", "huggingface.co", "://", "http://"} {
		if _, err := hub.New(hub.Config{Endpoint: e, CacheDir: "x"}); err == nil {
			t.Errorf("endpoint %q was taken", e)
		}
	}
}

func TestGivingUpIsQuick(t *testing.T) {
	r := newRig(t)
	r.hub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := r.client().File(ctx, hub.Dataset, repo, "", "README.md")
	if err == nil || time.Since(begun) > 5*time.Second || !strings.Contains(hub.Hint(err), "dataset.path") {
		t.Errorf("%v after %v (%s)", err, time.Since(begun), hub.Hint(err))
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("it passes for a file that is not there")
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_login\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env     map[string]string
		cache   string
		token   string
		offline bool
	}{
		"nothing":     {map[string]string{"HOME": "/h"}, "/h/.cache/huggingface/hub", "", false},
		"XDG":         {map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub", "", false},
		"HF_HOME":     {map[string]string{"HOME": "/h", "HF_HOME": home}, home + "/hub", "hf_login", false},
		"by its name": {map[string]string{"HF_HOME": home, "HF_HUB_CACHE": "/c", "HF_TOKEN": "hf_env", "HF_HUB_OFFLINE": "1"}, "/c", "hf_env", true},
	} {
		cfg := hub.FromEnv(func(n string) (string, bool) { v, ok := c.env[n]; return v, ok })
		if cfg.CacheDir != filepath.FromSlash(c.cache) || cfg.Token.Reveal() != c.token || cfg.Offline != c.offline {
			t.Errorf("%s: %s %q %v", name, cfg.CacheDir, cfg.Token.Reveal(), cfg.Offline)
		}
	}
}
