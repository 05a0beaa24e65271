package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

// TestGoldenOffsets holds offsets against those that were computed on amd64 and
// on arm64. A change of any of them changes every workload_hash: it must be
// meant. It fails where a compiler fuses what must be rounded.
func TestGoldenOffsets(t *testing.T) {
	stages := []struct {
		name  string
		stage workload.Stage
	}{
		{"constant 60/s for 10 s", stageWith(60, "constant", 10, 0)},
		{"constant 0.1/s for 60 s", stageWith(0.1, "constant", 60, 0)},
		{"constant 333.3333333333333/s, 5000", stageWith(333.3333333333333, "constant", 0, 5000)},
		{"poisson 100/s for 60 s", stageWith(100, "poisson", 60, 0)},
		{"poisson 0.5/s, 1000", stageWith(0.5, "poisson", 0, 1000)},
		{"gamma 0.3, 100/s for 60 s", withShape(stageWith(100, "", 60, 0), 0.3)},
		{"gamma 4, 100/s for 60 s", withShape(stageWith(100, "", 60, 0), 4)},
		{"gamma 0.05, 20000/s, 30000", withShape(stageWith(20000, "", 0, 30000), 0.05)},
		{"ramp 10 to 50, constant, 60 s", withEnd(stageWith(10, "constant", 60, 0), 50)},
		{"ramp 50.5 to 0.1, constant, 3600 s", withEnd(stageWith(50.5, "constant", 3600, 0), 0.1)},
		{"ramp 1 to 1000, poisson, 30 s", withEnd(stageWith(1, "poisson", 30, 0), 1000)},
		{"ramp 100 to 1, gamma 0.5, 100 s", withShape(withEnd(stageWith(100, "", 100, 0), 1), 0.5)},
		{"func of the seed", funcStage("lambda t: int(t / 0.1 + 1) if t < 60 else None")},
		{"func with a sine", funcStage("lambda t: 20 * t + 100 * math.sin(2 * math.pi * t / 60) if t < 600 else None")},
		{"func with a power, spread", workload.Stage{Func: ptr("lambda t: 1.05 ** t + math.exp(t / 30) * math.log(t + 2) if t < 120 else None"), Spread: true}},
	}
	var out strings.Builder
	for _, s := range stages {
		p := compile(t, 1234, s.stage).Phases[0]
		fmt.Fprintf(&out, "%s: %d sessions in %d ns\n  first", s.name, p.Sessions, p.Duration)
		for k := range min(p.Sessions, 5) {
			fmt.Fprintf(&out, " %d", p.Offset(k))
		}
		h := sha256.New()
		for _, offset := range p.Arrivals(Whole, 0) {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(offset)))
		}
		fmt.Fprintf(&out, " last %d\n  all %x\n", p.Offset(p.Sessions-1), h.Sum(nil))
	}
	golden(t, "offsets.txt", out.String())
}
