package measure

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The sums are those of integers of any size, in any order and grouping.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts [2]sums
		count, sum, squares := int64(0), new(big.Int), new(big.Int)
		for range rapid.IntRange(1, 20).Draw(t, "values") {
			v, n := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "value"), rapid.Int64Range(1, 1<<58).Draw(t, "times")
			parts[rapid.IntRange(0, 1).Draw(t, "part")].add(v, n)
			count += n
			x := new(big.Int).Mul(big.NewInt(v), big.NewInt(n))
			sum.Add(sum, x)
			squares.Add(squares, x.Mul(x, big.NewInt(v)))
		}
		parts[0].merge(&parts[1])
		if got := parts[0].total(); got.Cmp(sum) != 0 {
			t.Fatalf("sum %v, want %v", got, sum)
		}
		n := new(big.Rat).SetInt64(count)
		mean := new(big.Rat).Quo(new(big.Rat).SetInt(sum), n)
		variance := new(big.Rat).Quo(new(big.Rat).SetInt(squares), n)
		variance.Sub(variance, new(big.Rat).Mul(mean, mean))
		wantMean, _ := mean.Float64()
		wantVariance, _ := variance.Float64()
		if got := parts[0].mean(count); got != wantMean {
			t.Fatalf("mean %v, want %v", got, wantMean)
		}
		if got := parts[0].variance(count); got != wantVariance {
			t.Fatalf("variance %v, want %v", got, wantVariance)
		}
	})
}
