package simulate

import "testing"

// FuzzBody reads any body without a panic, and refuses or bounds what it asks.
func FuzzBody(f *testing.F) {
	f.Add([]byte(chatBody(3)), true)
	f.Add([]byte(`{"prompt":[[1,2,3]],"max_tokens":1e3,"stream":true,"stream_options":{"include_usage":true}}`), false)
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}]}],"logprobs":true}`), true)
	f.Add([]byte(`{"input":["a","b"]}`), false)
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}],"tools":[{"type":"function","function":{"name":"f"}}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, chat bool) {
		var a apiRequest
		kind := apiText
		if chat {
			kind = apiChat
		}
		if a.decode(body, kind) != nil {
			return
		}
		var p promptText
		s := &Server{cfg: Config{TokensPerWord: 1.5}}
		s.gather(&a, &p, kind)
		if n := s.tokens(&p); n < 0 || n-p.mediaTokens > 2+2*len(body) {
			t.Errorf("%d tokens in %d bytes", n, len(body))
		}
		if a.asked() < 0 {
			t.Errorf("%d tokens asked for", a.asked())
		}
		if got := len(p.blocks(nil, blockWords)); got > len(p.text)/blockWords {
			t.Errorf("%d blocks in %d bytes", got, len(p.text))
		}
	})
}

// FuzzFault reads any fault or none, and what it reads it can write.
func FuzzFault(f *testing.F) {
	for _, s := range []string{"status=429", "stall=3,20ms", "slow_headers=1s", "reset", "close=2", "split=1,1us"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil || fault.Kind == "" {
			return
		}
		if again, err := ParseFault(fault.String()); err != nil || again != fault {
			t.Errorf("%q reads as %+v, which writes as %q: %+v, %v", text, fault, fault.String(), again, err)
		}
	})
}

// FuzzDist reads any distribution or none, and draws within bounds.
func FuzzDist(f *testing.F) {
	for _, s := range []string{"50ms", "uniform:1ms:2ms", "normal:1h:1h", "lognormal:1ns:24h", "exp:3s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDurationDist(text)
		if err != nil {
			return
		}
		st := newStream(1, 0, 1, 1, Fault{})
		for range 8 {
			if v := d.draw(st.rng); v < 0 || float64(v) > maxDraw {
				t.Errorf("%q drew %d", text, v)
			}
		}
	})
}
