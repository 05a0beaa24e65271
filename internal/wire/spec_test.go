package wire

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// TestSpecAndMessageHaveTheSameFields keeps workload.Spec and stampede.v1.Spec
// from drifting apart.
func TestSpecAndMessageHaveTheSameFields(t *testing.T) {
	compare(t, "", (&stampedev1.Spec{}).ProtoReflect().Descriptor(), reflect.TypeFor[workload.Spec]())
}

func compare(t *testing.T, path string, m protoreflect.MessageDescriptor, st reflect.Type) {
	t.Helper()
	fields := map[string]reflect.StructField{}
	for i := range st.NumField() {
		name, _, _ := strings.Cut(st.Field(i).Tag.Get("json"), ",")
		fields[name] = st.Field(i)
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := string(f.Name())
		field, ok := fields[name]
		if !ok {
			t.Errorf("%s%s is in the message only", path, name)
			continue
		}
		delete(fields, name)
		compareField(t, path+name, f, field.Type)
	}
	for name := range fields {
		t.Errorf("%s%s is in the struct only", path, name)
	}
}

// compareField holds the Go type to what the message's field needs.
func compareField(t *testing.T, path string, f protoreflect.FieldDescriptor, ft reflect.Type) {
	t.Helper()
	if f.IsList() {
		if ft.Kind() != reflect.Slice {
			t.Errorf("%s is a list in the message and %s in the struct", path, ft)
			return
		}
		ft = ft.Elem()
	}
	pointer := ft.Kind() == reflect.Pointer
	if pointer {
		ft = ft.Elem()
	}
	var want string
	switch {
	case f.IsMap():
		want = "map"
	case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "google.protobuf.Duration":
		want = "int64"
		if ft != reflect.TypeFor[workload.Duration]() {
			t.Errorf("%s must be a workload.Duration, is %s", path, ft)
		}
		pointer = false // nil and 0 s are told apart where it matters
	case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "google.protobuf.Struct":
		want = "map"
	case f.Kind() == protoreflect.MessageKind:
		compare(t, path+".", f.Message(), ft)
		return
	default:
		want = map[protoreflect.Kind]string{protoreflect.StringKind: "string", protoreflect.BoolKind: "bool", protoreflect.Int32Kind: "int",
			protoreflect.Int64Kind: "int64", protoreflect.DoubleKind: "float64"}[f.Kind()]
	}
	got := ft.Kind().String()
	if ft == reflect.TypeFor[secret.String]() {
		got = "string"
	}
	if got != want {
		t.Errorf("%s is %s in the message and needs %s, is %s in the struct", path, f.Kind(), want, ft)
	}
	if f.Name() != "func" && pointer != (f.HasOptionalKeyword() && f.Kind() != protoreflect.MessageKind) {
		t.Errorf("%s: optional in the message %v, pointer in the struct %v", path, f.HasOptionalKeyword(), pointer)
	}
}

func TestSpecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		m, err := SpecToProto(s)
		if err != nil {
			t.Fatalf("SpecToProto: %v", err)
		}
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		received := &stampedev1.Spec{}
		if err := proto.Unmarshal(data, received); err != nil {
			t.Fatalf("Unmarshal: %v", err)
		}
		again, notices, err := SpecFromProto(received)
		if err != nil || len(notices) > 0 {
			t.Fatalf("SpecFromProto: %v, notices %q", err, notices)
		}
		if !reflect.DeepEqual(again, s) {
			t.Fatalf("got  %s\nwant %s", text(t, again), text(t, s))
		}
		full, _ := s.WithDefaults()
		fullAgain, _ := again.WithDefaults()
		if !reflect.DeepEqual(full, fullAgain) {
			t.Fatal("the completed specs differ")
		}
	})
}

func text(t *rapid.T, s *workload.Spec) string {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSpecFromProtoNamesPaths(t *testing.T) {
	rate := -3.0
	m := &stampedev1.Spec{
		Endpoint: &stampedev1.Endpoint{Url: "http://host/v1", Type: "vlm"},
		Load:     &stampedev1.Load{Stages: []*stampedev1.Stage{{Rate: &rate}}},
		Slo:      &stampedev1.Slo{Ttft: durationpb.New(-1)},
	}
	_, _, err := SpecFromProto(m)
	var errs workload.Errors
	if !errors.As(err, &errs) || len(errs) != 3 {
		t.Fatalf("got %v, want three errors", err)
	}
	for i, path := range []string{"endpoint.type", "load.stages[0].rate", "slo.ttft"} {
		if errs[i].Path != path {
			t.Errorf("error %d is at %s, want %s", i, errs[i].Path, path)
		}
	}
	if _, _, err := SpecFromProto(nil); !errors.As(err, &errs) || errs[0].Error() != "spec: is required" {
		t.Errorf("no message: got %v", err)
	}
	for name, bad := range map[string]*stampedev1.Spec{
		"a duration out of range":    {WaitReady: &durationpb.Duration{Seconds: math.MaxInt64}},
		"a number that JSON has not": {Sampling: &stampedev1.Sampling{ExtraBody: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(math.NaN())}}}},
		"an empty message":           {},
	} {
		if _, _, err := SpecFromProto(bad); !errors.As(err, &errs) {
			t.Errorf("%s: got %v, want Errors", name, err)
		}
	}
}

func TestSpecCarriesSecrets(t *testing.T) {
	s := &workload.Spec{Endpoint: workload.Endpoint{URL: "http://host/v1", APIKey: secret.New("sk-1"), Headers: workload.Headers{"X-Api-Key": "sk-2"}},
		Dataset:  workload.Dataset{HubToken: secret.New("hf_3")},
		Sampling: workload.Sampling{ExtraBody: workload.ExtraBody{"token": "sk-4"}}}
	m, err := SpecToProto(s)
	if err != nil {
		t.Fatal(err)
	}
	if m.GetEndpoint().GetApiKey() != "sk-1" || m.GetEndpoint().GetHeaders()["X-Api-Key"] != "sk-2" || m.GetDataset().GetHubToken() != "hf_3" ||
		m.GetSampling().GetExtraBody().GetFields()["token"].GetStringValue() != "sk-4" {
		t.Errorf("the message lacks a secret: %v", m)
	}
	s.Endpoint.APIKey = secret.New("sk-secret\xff")
	if _, err := SpecToProto(s); err != nil && strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("the error repeats the key: %v", err)
	}
}

// The generators below draw valid specs as a parser would leave them: what is
// empty is nil.

func drawSpec(t *rapid.T) *workload.Spec {
	s := &workload.Spec{
		Name:   word(t, "name"),
		Labels: drawMap(t, "labels"),
		Endpoint: workload.Endpoint{
			Type: oneOf(t, "", "openai", "vllm", "together"), URL: "http://host:8000/v1", Model: word(t, "model"), API: oneOf(t, "", "chat", "completions"),
			Stream: maybe(t, rapid.Just(true)), APIKeyEnv: oneOf(t, "", "KEY"), APIKey: secret.New(word(t, "key")), Region: oneOf(t, "", "eu-west-1"),
			Headers: workload.Headers(drawMap(t, "headers")),
		},
		Dataset: workload.Dataset{
			Path: word(t, "path"), InputTokens: oneOf(t, "", "550", "normal:550:150"), OutputTokens: oneOf(t, "", "none", "uniform:1:9"), Nonce: oneOf(t, "", "run"),
			CorpusHash: oneOf(t, "", "ab12"), SampleSize: rapid.Int64Range(0, math.MaxInt64).Draw(t, "sample_size"), HubToken: secret.New(word(t, "hub_token")),
			TokensPerWord: maybe(t, rapid.Float64Range(0.1, 100)), Calibrate: rapid.Bool().Draw(t, "calibrate"), Tokenizer: word(t, "tokenizer"),
		},
		Sampling: workload.Sampling{
			Temperature: maybe(t, rapid.Float64Range(0, 100)), TopP: maybe(t, rapid.Float64Range(0, 1)), MaxTokens: maybe(t, rapid.IntRange(1, 1_000_000)),
			IgnoreEOS: maybe(t, rapid.Bool()), N: maybe(t, rapid.IntRange(1, 9)), ExtraBody: drawBody(t),
		},
		Load: drawLoad(t),
		Sessions: workload.Sessions{HumanInputWPS: maybe(t, rapid.Float64Range(0.1, 9)), SeparateTurns: rapid.Bool().Draw(t, "separate"), SeparateInterval: duration(t),
			CompressionRatio: maybe(t, rapid.Float64Range(0.1, 9)), Range: oneOf(t, "", "0:5", ":-1"), MultiTurn: maybe(t, rapid.Bool())},
		SLO:       workload.SLO{TTFT: duration(t), E2E: duration(t)},
		Gates:     rapid.SampledFrom([][]string{nil, {"ttft.p99<500ms"}, {"fail_rate<1%", "slo.attainment>=0.99"}}).Draw(t, "gates"),
		Limits:    workload.Limits{RequestTimeout: duration(t), MaxRunTime: duration(t), DrainTimeout: maybeDuration(t), TimeTolerance: maybeDuration(t), LatenessP99: maybeDuration(t)},
		Preflight: maybe(t, rapid.Bool()),
		WaitReady: duration(t),
		Agents:    rapid.IntRange(0, 9).Draw(t, "agents"),
		Trials:    rapid.IntRange(0, 9).Draw(t, "trials"),
		Seed:      rapid.Int64().Draw(t, "seed"),

		FlushCache: rapid.Bool().Draw(t, "flush_cache"),
	}
	if s.Dataset.Synthetic() {
		s.Sessions = workload.Sessions{HumanInputWPS: s.Sessions.HumanInputWPS}
		if rapid.Bool().Draw(t, "alike") {
			s.Dataset.Prefix = &workload.Prefix{Tokens: "50", Groups: rapid.IntRange(0, 9).Draw(t, "groups"), Share: maybe(t, rapid.Float64Range(0, 1))}
			s.Dataset.Chat = &workload.Chat{Turns: "uniform:1:3", InputTokens: oneOf(t, "", "7"), ThinkTime: oneOf(t, "", "uniform:0s:2s")}
		} else {
			s.Dataset.Prefix = &workload.Prefix{HitRate: maybe(t, rapid.Just(0.5)), BlockTokens: 16}
			if s.Dataset.Prefix.HitRate == nil {
				s.Dataset.Prefix = nil
			}
		}
	}
	return s
}

func drawLoad(t *rapid.T) workload.Load {
	l := workload.Load{SkipIdleMin: duration(t)}
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		l.Stages = append(l.Stages, drawStage(t))
	}
	if len(l.Stages) > 0 && l.Stages[0].Concurrency != nil {
		l.Warmup = workload.Warmup{Duration: duration(t), Requests: rapid.Int64Range(0, 100).Draw(t, "warmup")}
	}
	return l
}

func drawStage(t *rapid.T) workload.Stage {
	s := workload.Stage{Name: word(t, "stage"), Duration: duration(t), Requests: rapid.Int64Range(1, 1e9).Draw(t, "requests"), Drain: oneOf(t, "", "none", "full")}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		rate := workload.Rate(rapid.Float64Range(0.001, 1e9).Draw(t, "rate"))
		s.Rate, s.Arrival, s.Burstiness, s.MaxConcurrency = &rate, "gamma", maybe(t, rapid.Float64Range(0.1, 9)), rapid.IntRange(0, 9).Draw(t, "cap")
	case 1:
		rate := workload.Rate(math.Inf(1))
		s.Rate = &rate
	case 2:
		s.Concurrency, s.ThinkTime = new(int), duration(t)
		*s.Concurrency = rapid.IntRange(1, 1000).Draw(t, "concurrency")
	case 3:
		function := "lambda t: 10 * t if t < 60 else None"
		s.Func, s.Spread = &function, rapid.Bool().Draw(t, "spread")
	case 4:
		s.Replay = &workload.Replay{TimeScale: maybe(t, rapid.Float64Range(0.1, 9)), Offset: duration(t), Loop: rapid.Bool().Draw(t, "loop")}
	}
	return s
}

func drawBody(t *rapid.T) workload.ExtraBody {
	if rapid.Bool().Draw(t, "no body") {
		return nil
	}
	return workload.ExtraBody{"top_k": rapid.Float64Range(-1<<53, 1<<53).Draw(t, "top_k"), "stop": []any{word(t, "stop"), nil, true},
		"nested": map[string]any{"secret": word(t, "secret")}}
}

func drawMap(t *rapid.T, label string) map[string]string {
	m := rapid.MapOfN(rapid.StringMatching(`X-[a-z]{1,5}`), rapid.StringMatching(`[ -)+-~]{1,10}`), 0, 3).Draw(t, label)
	if len(m) == 0 {
		return nil
	}
	return m
}

func word(t *rapid.T, label string) string {
	return rapid.StringMatching(`|[a-zA-Zäß "\\<&/.-]{1,12}`).Draw(t, label)
}

func oneOf(t *rapid.T, values ...string) string { return rapid.SampledFrom(values).Draw(t, "choice") }

func duration(t *rapid.T) workload.Duration {
	return workload.Duration(rapid.Int64Range(0, 1e16).Draw(t, "duration"))
}

func maybeDuration(t *rapid.T) *workload.Duration {
	return maybe(t, rapid.Custom(func(t *rapid.T) workload.Duration { return duration(t) }))
}

func maybe[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	if rapid.Bool().Draw(t, "unsaid") {
		return nil
	}
	v := g.Draw(t, "value")
	return &v
}

func TestASpecAsItIsShownCanBeRead(t *testing.T) {
	shown := &stampedev1.Spec{Endpoint: &stampedev1.Endpoint{Url: "http://h/v1", Headers: map[string]string{"Authorization": secret.Mask}}, Seed: 1 << 60}
	if _, _, err := SpecFromProto(shown); err == nil {
		t.Error("a masked header must not be registered")
	}
	spec, err := SpecShown(shown)
	if err != nil || spec.Endpoint.Headers["Authorization"] != secret.Mask || spec.Seed != 1<<60 {
		t.Errorf("got %+v, %v", spec, err)
	}
}
