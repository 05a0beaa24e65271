package measure

import (
	"math/big"
	"math/bits"
)

// sums are the exact sum of integers and of their squares, whatever the order in
// which they came: 128 bits of two's complement, and 192 bits, which hold 2^63
// values of 2^62.
type sums struct {
	high    uint64
	low     uint64
	squares [3]uint64 // lowest first
}

// add adds v n times; n is not negative.
func (s *sums) add(v, n int64) {
	size := uint64(v)
	if v < 0 {
		size = -size
	}
	high, low := bits.Mul64(size, uint64(n))
	s.addSquares(size, uint64(n))
	var carry uint64
	if v < 0 {
		s.low, carry = bits.Sub64(s.low, low, 0)
		s.high, _ = bits.Sub64(s.high, high, carry)
		return
	}
	s.low, carry = bits.Add64(s.low, low, 0)
	s.high, _ = bits.Add64(s.high, high, carry)
}

func (s *sums) addSquares(size, n uint64) {
	high, low := bits.Mul64(size, size)
	a, b := bits.Mul64(low, n)
	c, d := bits.Mul64(high, n)
	middle, carry := bits.Add64(a, d, 0)
	s.plus([3]uint64{b, middle, c + carry})
}

func (s *sums) plus(squares [3]uint64) {
	carry := uint64(0)
	for i := range s.squares {
		s.squares[i], carry = bits.Add64(s.squares[i], squares[i], carry)
	}
}

func (s *sums) merge(o *sums) {
	var carry uint64
	s.low, carry = bits.Add64(s.low, o.low, 0)
	s.high, _ = bits.Add64(s.high, o.high, carry)
	s.plus(o.squares)
}

// total is the sum.
func (s *sums) total() *big.Int {
	sum := new(big.Int).Lsh(big.NewInt(int64(s.high)), 64)
	return sum.Add(sum, new(big.Int).SetUint64(s.low))
}

// mean and variance, of the population, of n values.
func (s *sums) mean(n int64) float64 {
	mean, _ := new(big.Rat).SetFrac(s.total(), big.NewInt(n)).Float64()
	return mean
}

func (s *sums) variance(n int64) float64 {
	count, sum, squares := big.NewInt(n), s.total(), new(big.Int)
	for i := len(s.squares) - 1; i >= 0; i-- {
		squares.Lsh(squares, 64).Or(squares, new(big.Int).SetUint64(s.squares[i]))
	}
	squares.Mul(squares, count).Sub(squares, sum.Mul(sum, sum))
	variance, _ := new(big.Rat).SetFrac(squares, count.Mul(count, count)).Float64()
	return variance
}
