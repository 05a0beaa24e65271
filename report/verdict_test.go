package report

import (
	"math"
	"strings"
	"testing"
)

func f64(v float64) *float64 { return &v }

func healthy() Figures {
	return Figures{
		LatenessLimit: 0.010,
		Stages: []StageFigures{{
			Name: "steady", Judged: true, Dispatch: 100,
			LatenessP99: f64(0.001), OfferedRate: f64(10), AchievedRate: f64(10),
			StampUncertaintyP99: f64(0.0001), ReadDelayP99: f64(0.0001),
			ICLMedian: f64(0.010), TTFTMedian: f64(0.2), E2EMedian: f64(2),
		}},
		Succeeded: 1000, Planned: 1000,
	}
}

func TestJudgeRules(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*Figures)
		state  State
		figure string
		value  float64
		limit  float64
	}{
		{"all well", func(*Figures) {}, Valid, "", 0, 0},

		{"lateness below its limit", func(f *Figures) { f.Stages[0].LatenessP99 = f64(0.00999) }, Valid, "", 0, 0},
		{"lateness at its limit", func(f *Figures) { f.Stages[0].LatenessP99 = f64(0.010) }, Valid, "", 0, 0},
		{"lateness above its limit", func(f *Figures) { f.Stages[0].LatenessP99 = f64(0.011) }, Invalid, "lateness.p99", 0.011, 0.010},
		{"lateness of a capped or closed stage is not judged", func(f *Figures) {
			f.Stages[0].LatenessP99, f.Stages[0].Judged = f64(9), false
		}, Valid, "", 0, 0},
		{"no lateness", func(f *Figures) { f.Stages[0].LatenessP99 = nil }, Valid, "", 0, 0},

		{"achieved above 99 %", func(f *Figures) { f.Stages[0].AchievedRate = f64(9.95) }, Valid, "", 0, 0},
		{"achieved at 99 %", func(f *Figures) { f.Stages[0].AchievedRate = f64(9.9) }, Valid, "", 0, 0},
		{"achieved under 99 %", func(f *Figures) { f.Stages[0].AchievedRate = f64(9.89) }, Invalid, "achieved_rate", 9.89, 9.9},
		{"what was lost was not due", func(f *Figures) {
			f.Stages[0].AchievedRate, f.Stages[0].NotDue = f64(9.0), 100
		}, Valid, "", 0, 0},
		{"what is missing beyond what was lost", func(f *Figures) {
			f.Stages[0].AchievedRate, f.Stages[0].NotDue = f64(8.5), 100
		}, Invalid, "achieved_rate", 8.5, 0.99 * 9},
		{"one request behind the window's end is no shortfall", func(f *Figures) {
			f.Stages[0].Dispatch, f.Stages[0].OfferedRate, f.Stages[0].AchievedRate = 10, f64(1), f64(0.9)
		}, Valid, "", 0, 0},
		{"two requests are", func(f *Figures) {
			f.Stages[0].Dispatch, f.Stages[0].OfferedRate, f.Stages[0].AchievedRate = 10, f64(1), f64(0.8)
		}, Invalid, "achieved_rate", 0.8, 0.99},
		{"closed loop offers nothing", func(f *Figures) {
			f.Stages[0].Judged, f.Stages[0].Closed, f.Stages[0].OfferedRate, f.Stages[0].AchievedRate = false, true, nil, f64(1)
		}, Valid, "", 0, 0},

		{"stamps at 1 ms, fast chunks", func(f *Figures) { f.Stages[0].StampUncertaintyP99 = f64(0.001) }, Valid, "", 0, 0},
		{"stamps above 1 ms, fast chunks", func(f *Figures) { f.Stages[0].StampUncertaintyP99 = f64(0.0011) }, Invalid, "stamp_uncertainty.p99", 0.0011, 0.001},
		{"stamps at 5 % of slow chunks", func(f *Figures) {
			f.Stages[0].ICLMedian, f.Stages[0].StampUncertaintyP99 = f64(0.1), f64(0.005)
		}, Valid, "", 0, 0},
		{"stamps above 5 % of slow chunks", func(f *Figures) {
			f.Stages[0].ICLMedian, f.Stages[0].StampUncertaintyP99 = f64(0.1), f64(0.0051)
		}, Invalid, "stamp_uncertainty.p99", 0.0051, 0.005},
		{"closed loop goes by ttft", func(f *Figures) {
			f.Stages[0].Judged, f.Stages[0].Closed, f.Stages[0].StampUncertaintyP99 = false, true, f64(0.0099)
		}, Valid, "", 0, 0},
		{"closed loop above 5 % of ttft", func(f *Figures) {
			f.Stages[0].Judged, f.Stages[0].Closed, f.Stages[0].StampUncertaintyP99 = false, true, f64(0.0101)
		}, Invalid, "stamp_uncertainty.p99", 0.0101, 0.010},
		{"whole replies go by ttft", func(f *Figures) {
			f.Stages[0].ICLMedian, f.Stages[0].StampUncertaintyP99 = nil, f64(0.0099)
		}, Valid, "", 0, 0},
		{"without streaming by e2e", func(f *Figures) {
			f.Stages[0].ICLMedian, f.Stages[0].TTFTMedian, f.Stages[0].StampUncertaintyP99 = nil, nil, f64(0.099)
		}, Valid, "", 0, 0},
		{"nothing to compare with", func(f *Figures) {
			s := &f.Stages[0]
			s.ICLMedian, s.TTFTMedian, s.E2EMedian, s.StampUncertaintyP99 = nil, nil, nil, f64(0.002)
		}, Invalid, "stamp_uncertainty.p99", 0.002, 0.001},
		{"process stamps go by read_delay", func(f *Figures) { f.Stages[0].ReadDelayP99 = f64(0.0012) }, Invalid, "read_delay.p99", 0.0012, 0.001},

		{"overflow", func(f *Figures) { f.Overflow = 1 }, Invalid, "overflow", 1, 0},
		{"a sample shed", func(f *Figures) { f.SamplesShed = 1 }, Invalid, "samples_shed", 1, 0},

		{"an agent lost", func(f *Figures) { f.AgentsLost = []string{"b%d"} }, Degraded, "agents_lost", 1, 0},
		{"requests lost", func(f *Figures) { f.Lost = 3 }, Degraded, "lost", 3, 0},
		{"detail shed", func(f *Figures) { f.DetailShed = 2 }, Degraded, "detail_shed", 2, 0},
		{"journal not written", func(f *Figures) { f.JournalProblem = "disk full" }, Degraded, "journal", 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := healthy()
			tt.edit(&f)
			v := Judge(f)
			if v.State != tt.state {
				t.Fatalf("state %q, want %q; reasons %+v", v.State, tt.state, v.Reasons)
			}
			if tt.figure == "" {
				if len(v.Reasons) != 0 {
					t.Fatalf("reasons %+v, want none", v.Reasons)
				}
				return
			}
			r := v.Reasons[0]
			if len(v.Reasons) != 1 || r.Figure != tt.figure || r.State != tt.state || !near(r.Value, tt.value) || !near(r.Limit, tt.limit) {
				t.Fatalf("reasons %+v, want %s %v over %v", v.Reasons, tt.figure, tt.value, tt.limit)
			}
			if r.Message == "" || strings.Contains(r.Message, "%!") {
				t.Fatalf("message %q", r.Message)
			}
		})
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

func TestJudgeInvalidBeatsDegraded(t *testing.T) {
	f := healthy()
	f.Lost, f.AgentsLost, f.Stages[0].LatenessP99 = 2, []string{"a"}, f64(1)
	v := Judge(f)
	if v.State != Invalid || len(v.Reasons) != 3 || v.Reasons[0].State != Invalid {
		t.Fatalf("got %+v", v)
	}
}

func TestJudgeNamesTheStage(t *testing.T) {
	f := healthy()
	f.Stages = append(f.Stages, f.Stages[0])
	f.Stages[1].Name, f.Stages[1].LatenessP99 = "rate 20", f64(0.5)
	v := Judge(f)
	if len(v.Reasons) != 1 || v.Reasons[0].Stage != "rate 20" ||
		v.Reasons[0].Message != `stage "rate 20": p99 of lateness is 500 ms, over the limit of 10.0 ms: requests left later than the schedule wanted` {
		t.Fatalf("got %+v", v.Reasons)
	}
}

func TestJudgeNotices(t *testing.T) {
	two := func(cpu, bound float64) []AgentFigures {
		return []AgentFigures{{Name: "a"}, {Name: "b", CPUMax: f64(cpu), ClockBound: f64(bound)}}
	}
	tests := []struct {
		name string
		edit func(*Figures)
		want string // a part of the one notice; empty: none
	}{
		{"fail_rate at 5 %", func(f *Figures) { f.FailRate = f64(0.05) }, ""},
		{"fail_rate above 5 %", func(f *Figures) { f.FailRate = f64(0.051) }, "fail_rate is 5.1 %"},
		{"CPU at 90 %", func(f *Figures) { f.Agents = two(0.9, 0) }, ""},
		{"CPU above 90 %", func(f *Figures) { f.Agents = two(0.91, 0) }, "agent b used 91 %"},
		{"clock at 5 ms", func(f *Figures) { f.Agents = two(0, 0.005) }, ""},
		{"clock above 5 ms", func(f *Figures) { f.Agents = two(0, 0.0051) }, "±5.10 ms"},
		{"clock of a single agent", func(f *Figures) { f.Agents = two(0, 1)[1:] }, ""},
		{"cache at 5 %", func(f *Figures) { f.CachedShare = f64(0.05) }, ""},
		{"cache above 5 %", func(f *Figures) { f.CachedShare = f64(0.2) }, "20 % of input tokens"},
		{"cache that was asked for", func(f *Figures) { f.CachedShare, f.CacheAsked = f64(0.2), true }, ""},
		{"lengths at 5 % off", func(f *Figures) { f.OutputTokens, f.OutputAsked = f64(95), f64(100) }, ""},
		{"lengths short", func(f *Figures) { f.OutputTokens, f.OutputAsked = f64(94), f64(100) }, "off by 6 %"},
		{"lengths long", func(f *Figures) { f.OutputTokens, f.OutputAsked = f64(106), f64(100) }, "off by 6 %"},
		{"tokenizer at 1 %", func(f *Figures) { f.TokenizerDrift = f64(0.01) }, ""},
		{"tokenizer above 1 %", func(f *Figures) { f.TokenizerDrift = f64(0.02) }, "differ by 2 %"},
		{"dataset used up exactly", func(f *Figures) { f.DatasetSize, f.SessionsUsed = 10, 10 }, ""},
		{"dataset wrapped", func(f *Figures) { f.DatasetSize, f.SessionsUsed = 10, 11 }, "wrapped round"},
		{"no success", func(f *Figures) { f.Succeeded = 0 }, "not one of 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := healthy()
			tt.edit(&f)
			v := Judge(f)
			if v.State != Valid {
				t.Fatalf("a notice must not change the verdict: %+v", v)
			}
			if tt.want == "" && len(v.Notices) > 0 || tt.want != "" && (len(v.Notices) != 1 || !strings.Contains(v.Notices[0], tt.want)) {
				t.Fatalf("notices %q, want %q", v.Notices, tt.want)
			}
		})
	}
}
