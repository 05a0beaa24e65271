package simulate

import (
	"fmt"
	"strconv"
)

// api is which of the APIs a request came to.
type api uint8

const (
	apiText api = iota
	apiChat
	apiEmbeddings
	apiRerank
)

// apis are the routes that are accounted for.
var apis = map[string]api{
	"/v1/completions": apiText, "/v1/chat/completions": apiChat, "/v1/embeddings": apiEmbeddings,
	"/v1/rerank": apiRerank, "/rerank": apiRerank, "/v2/rerank": apiRerank,
}

// String names it as an error does.
func (k api) String() string {
	return [...]string{"completions", "chat completions", "embeddings", "rerank"}[k]
}

// vectors says that it answers with numbers instead of tokens.
func (k api) vectors() bool { return k == apiEmbeddings || k == apiRerank }

// dimensions of an embedding. They mean nothing.
const dimensions = 8

// appendVectors appends the body of a reply to embeddings or rerank.
func (r *reply) appendVectors(b []byte, kind api, n int, model, id string) []byte {
	number := func(i int) string { return fmt.Sprintf("0.%03d", mix(r.seed+uint64(i))%1000) }
	if kind == apiEmbeddings {
		b = append(appendString(append(b, `{"object":"list","model":`...), model), `,"data":[`...)
	} else {
		b = appendString(append(b, `{"id":`...), "rerank-"+id)
		b = append(appendString(append(b, `,"model":`...), model), `,"results":[`...)
	}
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if kind == apiRerank {
			b = fmt.Appendf(b, `{"index":%d,"relevance_score":%s}`, i, number(i))
			continue
		}
		b = fmt.Appendf(b, `{"object":"embedding","index":%d,"embedding":[`, i)
		for d := range dimensions {
			if d > 0 {
				b = append(b, ',')
			}
			b = append(b, number(i*dimensions+d)...)
		}
		b = append(b, ']', '}')
	}
	b = append(b, ']')
	if r.usageAtEnd {
		b = append(b, `,"usage":{`...)
		if kind == apiEmbeddings {
			b = strconv.AppendInt(append(b, `"prompt_tokens":`...), int64(r.prompt), 10)
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, `"total_tokens":`...), int64(r.prompt), 10), '}')
	}
	return append(b, '}')
}

// toolOpen and toolClose stand around the words of a tool call's event. The first
// event names the tool.
func (r *reply) toolOpen(b []byte, first bool) []byte {
	b = append(b, `"delta":{"tool_calls":[{"index":0,`...)
	if first {
		b = append(b, `"id":"call_0","type":"function","function":{"name":`...)
		return append(appendString(b, r.tool), `,"arguments":"`...)
	}
	return append(b, `"function":{"arguments":"`...)
}

const toolClose = `"}}]}`

// appendToolCall appends the message's members of a reply that is not streamed.
func (r *reply) appendToolCall(b []byte) []byte {
	b = append(b, `"content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":`...)
	b = append(appendString(b, r.tool), `,"arguments":"`...)
	return append(r.appendWords(b, min(r.thinking, r.total), r.total), `"}}]`...)
}
