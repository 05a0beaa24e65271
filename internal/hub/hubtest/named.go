package hubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Datasets are the repositories of the datasets that are known by name, with the
// rows in a folder of excerpts (workload/source/testdata), in the files in which
// the hub has them, and one more, owner/tables, whose files its card names.
func Datasets(folder string) (map[string]*Repository, error) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil
		}
		return data
	}
	arena, err := table[arenaRow](read("arena.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("arena: %w", err)
	}
	orca, err := table[orcaRow](read("openorca.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("openorca: %w", err)
	}
	messages, err := flattened(read("oasst_trees.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("oasst1: %w", err)
	}
	half := len(messages) / 2
	return map[string]*Repository{
		"datasets/lmsys/chatbot_arena_conversations": {Gated: true, Files: map[string][]byte{"data/train-00000-of-00001.parquet": arena, "README.md": []byte("# arena\n")}},
		"datasets/OpenAssistant/oasst1": {Files: map[string][]byte{
			"data/train-00000-of-00001.parquet": parquetOf(messages[:half]), "data/validation-00000-of-00001.parquet": parquetOf(messages[half:]),
		}},
		"datasets/databricks/databricks-dolly-15k": {Files: map[string][]byte{"databricks-dolly-15k.jsonl": read("dolly.jsonl")}},
		"datasets/Open-Orca/OpenOrca":              {Files: map[string][]byte{"1M-GPT4-Augmented.parquet": orca, "3_5M-GPT3_5-Augmented.parquet": orca}},
		"datasets/anon8231489123/ShareGPT_Vicuna_unfiltered": {Files: map[string][]byte{
			"ShareGPT_V3_unfiltered_cleaned_split.json": read("sharegpt.json"),
		}},
		"datasets/owner/tables": {Files: map[string][]byte{
			"README.md":      []byte("---\nconfigs:\n- config_name: sums\n  data_files:\n  - split: train\n    path: sums/*.csv\n  - split: test\n    path: other/test.csv\n---\n"),
			"sums/1.csv":     []byte("ask,reply\n1 + 1?,2\n"),
			"sums/2.csv":     []byte("ask,reply\n2 + 2?,4\n"),
			"other/test.csv": []byte("ask,reply\n3 + 3?,6\n"),
		}},
		"datasets/owner/script": {
			Files: map[string][]byte{"script.py": []byte("import this\n")},
			Refs:  map[string]map[string][]byte{"refs/convert/parquet": {"default/train/0000.parquet": orca, "default/test/0000.parquet": orca}},
		},
	}, nil
}

type message struct {
	Content string `json:"content" parquet:"content,optional"`
	Role    string `json:"role" parquet:"role,optional"`
}

type arenaRow struct {
	ID           string    `json:"question_id" parquet:"question_id"`
	Conversation []message `json:"conversation_a" parquet:"conversation_a,list"`
	Turn         int64     `json:"turn" parquet:"turn"`
	Time         float64   `json:"tstamp" parquet:"tstamp"`
}

type orcaRow struct {
	ID       string `json:"id" parquet:"id"`
	System   string `json:"system_prompt" parquet:"system_prompt"`
	Question string `json:"question" parquet:"question"`
	Response string `json:"response" parquet:"response"`
}

type oasstRow struct {
	ID      string  `json:"message_id" parquet:"message_id"`
	Parent  *string `json:"parent_id" parquet:"parent_id,optional"`
	Created string  `json:"created_date" parquet:"created_date"`
	Text    string  `json:"text" parquet:"text"`
	Role    string  `json:"role" parquet:"role"`
	Rank    *int32  `json:"rank" parquet:"rank,optional"`
	Tree    string  `json:"message_tree_id" parquet:"message_tree_id"`
}

// table makes a Parquet file of lines of JSON.
func table[T any](lines []byte) ([]byte, error) {
	var rows []T
	for line := range bytes.Lines(lines) {
		var row T
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return parquetOf(rows), nil
}

func parquetOf[T any](rows []T) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.Compression(&parquet.Zstd))
	if _, err := w.Write(rows); err != nil || w.Close() != nil {
		return nil
	}
	return b.Bytes()
}

// flattened are the messages of trees, one every ten seconds, as the hub has them.
func flattened(lines []byte) ([]oasstRow, error) {
	type node struct {
		oasstRow
		Replies []*node `json:"replies"`
	}
	var rows []oasstRow
	var add func(tree string, n *node)
	add = func(tree string, n *node) {
		at := len(rows) * 10
		n.Tree, n.Created = tree, fmt.Sprintf("2023-02-05T14:%02d:%02d.000000+00:00", at/60, at%60)
		rows = append(rows, n.oasstRow)
		for _, reply := range n.Replies {
			add(tree, reply)
		}
	}
	for line := range strings.Lines(string(lines)) {
		var tree struct {
			ID     string `json:"message_tree_id"`
			Prompt *node  `json:"prompt"`
		}
		if err := json.Unmarshal([]byte(line), &tree); err != nil {
			return nil, err
		}
		add(tree.ID, tree.Prompt)
	}
	return rows, nil
}
