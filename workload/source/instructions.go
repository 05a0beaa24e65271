package source

import (
	"errors"
	"strings"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// arena maps a row of Chatbot Arena: the conversation with the first of the two
// models, when it took place.
func arena(one *row) (dataset.Record, error) {
	var r struct {
		Conversation []utterance `json:"conversation_a"`
		Time         when        `json:"tstamp"`
	}
	if err := one.decode(&r); err != nil {
		return dataset.Record{}, err
	}
	if !r.Time.given {
		return dataset.Record{}, one.fail(0, errors.New("the row has no tstamp"))
	}
	record := dataset.Record{OffsetNanos: r.Time.nanos, Turns: split(utterances(r.Conversation))}
	if err := sendable(&record); err != nil {
		return record, one.fail(0, err)
	}
	return record, nil
}

// dolly maps a row of Dolly: the context follows the instruction.
func dolly(one *row) (dataset.Record, error) {
	var r struct {
		Instruction string `json:"instruction"`
		Context     string `json:"context"`
		Response    string `json:"response"`
	}
	if err := one.decode(&r); err != nil {
		return dataset.Record{}, err
	}
	prompt := r.Instruction
	if r.Context != "" {
		prompt += "\n" + r.Context
	}
	return single(one, "", prompt, r.Response)
}

func openOrca(one *row) (dataset.Record, error) {
	var r struct {
		System   string `json:"system_prompt"`
		Question string `json:"question"`
		Response string `json:"response"`
	}
	if err := one.decode(&r); err != nil {
		return dataset.Record{}, err
	}
	return single(one, r.System, r.Question, r.Response)
}

// mtBench maps a question of MT-Bench: its turns follow one another.
func mtBench(one *row) (dataset.Record, error) {
	var r struct {
		Turns     []string `json:"turns"`
		Reference []string `json:"reference"`
	}
	if err := one.decode(&r); err != nil {
		return dataset.Record{}, err
	}
	record := dataset.Record{OffsetNanos: -1}
	for i, text := range r.Turns {
		t := dataset.Turn{Messages: []dataset.Message{{Role: dataset.RoleUser, Content: text}}, OffsetNanos: -1}
		if i < len(r.Reference) {
			t.Answer = r.Reference[i]
		}
		record.Turns = append(record.Turns, t)
	}
	if err := sendable(&record); err != nil {
		return record, one.fail(0, err)
	}
	return record, nil
}

// single is a record of one turn.
func single(one *row, system, prompt, answer string) (dataset.Record, error) {
	var messages []dataset.Message
	if system != "" {
		messages = append(messages, dataset.Message{Role: dataset.RoleSystem, Content: system})
	}
	messages = append(messages, dataset.Message{Role: dataset.RoleUser, Content: prompt})
	record := dataset.Record{OffsetNanos: -1, Turns: []dataset.Turn{{Messages: messages, Answer: answer, OffsetNanos: -1}}}
	if err := sendable(&record); err != nil {
		return record, one.fail(0, err)
	}
	return record, nil
}

// sendable says why a record can't be sent.
func sendable(r *dataset.Record) error {
	if len(r.Turns) == 0 {
		return errNoHuman
	}
	first := r.Turns[0].Messages
	if r.OneRequest {
		first = r.Turns[len(r.Turns)-1].Messages
	}
	if last := first[len(first)-1]; strings.TrimSpace(last.Content) == "" && last.Media == "" {
		return errEmpty
	}
	return nil
}
