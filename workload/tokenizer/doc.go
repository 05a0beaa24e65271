// Package tokenizer counts tokens as models do. It reads Hugging Face's
// tokenizer.json (byte-level and SentencePiece-style BPE, Unigram, WordPiece and
// WordLevel, with their normalizers, pre-tokenizers, added tokens, post-processors
// and decoders) and has OpenAI's vocabularies built in. Ids and counts are those
// of the reference implementation; a file that asks for what is not here, or for
// what can't be exact (dropout, sampling), is refused rather than approximated.
//
// A Tokenizer is pure and safe for concurrent use. The package opens no files and
// no connections, applies no chat template, and is not meant for the path on
// which requests are timed: callers use it before a run and behind its reporting.
//
// Text that is not UTF-8 is taken as what JSON would make of it: U+FFFD for each
// bad byte.
package tokenizer
