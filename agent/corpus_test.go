package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func openCorpus(t testing.TB, s *workload.Spec) dataset.Corpus {
	t.Helper()
	c, _, err := dataset.Open(s, "", nil, dataset.Options{RunID: "run"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hashOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

func TestCorpusIsFetchedOnceAndChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		a, end := b.agent()
		rows := "{\"prompt\":\"what is a stampede\"}\n{\"prompt\":\"and a herd\"}\n"
		b.c.corpora[hashOf(rows)] = []byte(rows)
		b.c.corpora[hashOf("good")] = []byte("bad")
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if data, err := a.corpora.get(context.Background(), hashOf(rows)); err != nil || string(data) != rows {
					t.Errorf("got %q, %v", data, err)
				}
			})
		}
		wg.Wait()
		if n := len(b.c.corpora["fetches"]); n != 1 {
			t.Errorf("%d fetches for 5 runs", n)
		}
		for range 2 {
			if _, err := a.corpora.get(context.Background(), hashOf("good")); err == nil || !strings.Contains(err.Error(), hashOf("bad")) {
				t.Errorf("data with another hash: %v", err)
			}
		}
		if n := len(b.c.corpora["fetches"]); n != 3 {
			t.Errorf("%d fetches: what failed must be tried again", n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCorporaMakeRoom(t *testing.T) {
	c := &corpora{keep: 10}
	for _, hash := range []string{"a", "b", "a", "c"} {
		one, mine := c.claim(hash)
		if mine {
			one.data = make([]byte, 5)
			c.settle(one)
		}
	}
	var kept []string
	for _, x := range c.held {
		kept = append(kept, x.hash)
	}
	if strings.Join(kept, "") != "ac" {
		t.Errorf("kept %v, want the two last used", kept)
	}
}

func TestRunOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		rows := "{\"prompt\":\"what is a stampede\"}\n{\"prompt\":\"and a herd\"}\n"
		b.c.corpora[hashOf(rows)] = []byte(rows)
		_, m := spec(t, `
endpoint: {url: "http://target/v1", model: m}
dataset: {name: jsonl, path: rows.jsonl}
load: {stages: [{concurrency: 1, requests: 5}]}`)
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{StartShard: &stampedev1.StartShard{
			Ref: ref("run", 0, 1).Proto(), Spec: m, AgentCount: 1, CorpusHash: hashOf(rows), CorpusFileName: "rows.jsonl",
		}}})
		b.until(ready, 1, time.Second)
		b.anchor = time.Now()
		b.release("run", 0, 0, 0)
		b.until(done, 1, time.Minute)
		if len(b.d.sent) != 5 {
			t.Errorf("%d requests, want 5 of 2 rows used again", len(b.d.sent))
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
