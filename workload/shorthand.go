package workload

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseRateList reads a list of rates, such as 1,5,10,inf.
func ParseRateList(text string) ([]Rate, error) {
	return parseList(text, func(s string) (Rate, error) {
		r, err := ParseRate(s)
		if err == nil && !(r > 0) {
			err = fmt.Errorf("must be greater than 0, got %s", quote(s))
		}
		return r, err
	})
}

// ParseConcurrencyList reads a list of concurrencies, such as 1,2,4,8.
func ParseConcurrencyList(text string) ([]int, error) {
	return parseList(text, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxConcurrency {
			return 0, fmt.Errorf("must be a whole number from 1 to %d, got %s", maxConcurrency, quote(s))
		}
		return n, nil
	})
}

func parseList[T any](text string, one func(string) (T, error)) ([]T, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxStages {
		return nil, fmt.Errorf("must have at most %d entries, got %d", maxStages, len(parts))
	}
	out := make([]T, len(parts))
	for i, part := range parts {
		v, err := one(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// ParseSLO reads objectives: ttft=500ms,tpot=50ms,e2e=10s, or in vLLM's form,
// whose bare numbers are milliseconds, ttft:500 tpot:50 e2el:10000.
func ParseSLO(text string) (SLO, error) {
	var slo SLO
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(parts) == 0 {
		return SLO{}, errors.New("must be a list such as ttft=500ms,tpot=50ms,e2e=10s, got nothing")
	}
	for _, part := range parts {
		if err := slo.set(part); err != nil {
			return SLO{}, err
		}
	}
	return slo, nil
}

func (o *SLO) set(part string) error {
	name, value, ok := strings.Cut(part, "=")
	vllm := false
	if !ok {
		name, value, vllm = strings.Cut(part, ":")
	}
	field := map[string]*Duration{"ttft": &o.TTFT, "tpot": &o.TPOT, "e2e": &o.E2E, "e2el": &o.E2E}[strings.ToLower(name)]
	if field == nil || !ok && !vllm {
		return fmt.Errorf("must be ttft=, tpot= or e2e= and a duration, got %s", quote(part))
	}
	if *field != 0 {
		return fmt.Errorf("must name each objective once, got %s again", name)
	}
	d, err := objective(value, vllm)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*field = d
	return nil
}

func objective(value string, milliseconds bool) (Duration, error) {
	if ms, err := strconv.ParseFloat(value, 64); err == nil {
		if !milliseconds {
			return 0, fmt.Errorf("must have a unit, such as %sms, got %s", value, quote(value))
		}
		value = strconv.FormatFloat(ms/1000, 'f', 9, 64)
	}
	d, err := ParseDuration(value)
	if err != nil {
		return 0, err
	}
	if d <= 0 {
		return 0, fmt.Errorf("must be greater than 0, got %s", d)
	}
	return d, nil
}

// ParseWarmup reads a warmup by time (10s) or by count (100).
func ParseWarmup(text string) (Warmup, error) {
	s := strings.TrimSpace(text)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 || n > maxRequests {
			return Warmup{}, fmt.Errorf("must be from 0 to %d requests, got %d", int64(maxRequests), n)
		}
		return Warmup{Requests: n}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return Warmup{}, fmt.Errorf("must be a duration such as 10s or a number of requests such as 100, got %s", quote(text))
	}
	return Warmup{Duration: Duration(d)}, nil
}

// ParseKeyValue reads KEY=VALUE. The error does not repeat the value, which may
// be a secret.
func ParseKeyValue(text string) (key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	if key = strings.TrimSpace(key); !ok || key == "" {
		return "", "", errors.New("must be KEY=VALUE")
	}
	return key, value, nil
}

// ParseExtraBody reads a JSON object of further members of the request body.
func ParseExtraBody(text string) (ExtraBody, error) {
	var b ExtraBody
	if err := b.UnmarshalJSON([]byte(text)); err != nil {
		return nil, fmt.Errorf("must be a JSON object such as {\"top_k\": 40}, got %s", quote(text))
	}
	return b, nil
}

// ParseDataset reads what --dataset takes: the name of a dataset, else a file.
func ParseDataset(text string) Dataset {
	if slices.Contains(datasetNames, text) || strings.HasPrefix(text, "hf://") {
		return Dataset{Name: text}
	}
	return Dataset{Path: text}
}
