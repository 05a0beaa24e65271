// Small tokenizer.json files, one for each algorithm and for the parts that the
// big ones don't use. Their vocabularies come from the texts themselves.
import { texts } from './texts.mjs';

const corpus = texts.filter((t) => t.length < 400);

// train merges the most frequent neighbours in words, which are lists of symbols.
function train(words, count, join = (a, b) => a + b) {
  const merges = [];
  for (let round = 0; round < count; round++) {
    const pairs = new Map();
    for (const [symbols, n] of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const key = JSON.stringify([symbols[i], symbols[i + 1]]);
        pairs.set(key, (pairs.get(key) ?? 0) + n);
      }
    }
    const best = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    if (!best || best[1] < 2) break;
    const [left, right] = JSON.parse(best[0]);
    merges.push([left, right]);
    for (const word of words) {
      const out = [];
      for (const s of word[0]) {
        if (s === right && out.at(-1) === left) out[out.length - 1] = join(left, right);
        else out.push(s);
      }
      word[0] = out;
    }
  }
  return merges;
}

function counted(list) {
  const counts = new Map();
  for (const w of list) counts.set(w, (counts.get(w) ?? 0) + 1);
  return [...counts];
}

// vocabulary numbers tokens in order, each once.
function vocabulary(...lists) {
  const vocab = {};
  let n = 0;
  for (const token of lists.flat()) if (!Object.hasOwn(vocab, token)) vocab[token] = n++;
  return vocab;
}

const byteChar = (() => {
  const chars = [];
  let next = 256;
  for (let b = 0; b < 256; b++) {
    const own = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    chars.push(String.fromCodePoint(own ? b : next++));
  }
  return chars;
})();
const bytesOf = (text) => [...Buffer.from(text, 'utf8')].map((b) => byteChar[b]);

const added = (id, content, more = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more });
const file = (parts) => ({ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...parts });
const bpe = (vocab, merges, more = {}) => ({ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges, ...more });

const words = (pattern) => corpus.flatMap((t) => t.match(pattern) ?? []);
const chars = [...new Set(corpus.flatMap((t) => [...t]))].filter((c) => c.codePointAt(0) < 0x500);

// byteBPE has a pattern with a lookbehind, merges as pairs and added tokens of
// every kind.
function byteBPE() {
  const merges = train(counted(words(/ ?\S+|\s+/g)).map(([w, n]) => [bytesOf(w), n]), 300);
  const vocab = vocabulary(byteChar, merges.map((m) => m.join('')));
  const n = Object.keys(vocab).length;
  return file({
    added_tokens: [
      added(n, '<|endoftext|>'), added(n + 1, '<LTok>', { rstrip: true }), added(n + 2, '<mask>', { lstrip: true }), added(n + 3, '<RTok>', { lstrip: true, rstrip: true, special: false }),
      added(n + 4, 'word', { single_word: true, special: false }), added(n + 5, '[MASK]', { special: false, normalized: true }), added(n + 6, '<|im_start|>'), added(n + 7, '<|im'),
    ],
    pre_tokenizer: { type: 'Sequence', pretokenizers: [
      { type: 'Split', pattern: { Regex: '(?<=\\p{L})(?=\\p{N})|\\s+|[\\p{L}\\p{M}]+|\\p{N}{2,}?|.' }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }] },
    post_processor: { type: 'Sequence', processors: [{ type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true }, { type: 'RobertaProcessing', sep: ['<|endoftext|>', n], cls: ['<LTok>', n + 1], trim_offsets: true, add_prefix_space: true }] },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: bpe(vocab, merges),
  });
}

// roberta puts a space in front of each part and has texts as merges.
function roberta() {
  const f = byteBPE();
  f.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
  f.model.merges = f.model.merges.map((m) => m.join(' '));
  f.added_tokens = f.added_tokens.slice(0, 3);
  f.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Replace', pattern: { Regex: '[0-9]{3,}' }, content: '#' }] };
  return f;
}

// byteNormalizer turns to byte characters before it splits.
function byteNormalizer() {
  const f = byteBPE();
  f.normalizer = { type: 'ByteLevel' };
  f.pre_tokenizer = { type: 'Split', pattern: { String: 'Ġ' }, behavior: 'MergedWithNext', invert: false };
  f.model.ignore_merges = true;
  f.post_processor = null;
  return f;
}

const bytes = Array.from({ length: 256 }, (_, b) => '<0x' + b.toString(16).toUpperCase().padStart(2, '0') + '>');

// sentenceBPE is as Llama's and Mistral's: marks for spaces, bytes for the rest.
function sentenceBPE() {
  const merges = train(counted(words(/ ?\S+/g)).map(([w, n]) => [[...('▁' + w.trim())], n]), 250);
  const vocab = vocabulary(['<unk>', '<s>', '</s>'], bytes, ['▁'], chars.filter((c) => c > ' ' && c < '\u0180'), merges.map((m) => m.join('')));
  return file({
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '</s>')],
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false },
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] }, '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } } },
    decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] },
    model: bpe(vocab, merges.filter((m) => m.join('') in vocab && m[0] in vocab && m[1] in vocab), { unk_token: '<unk>', fuse_unk: true, byte_fallback: true }),
  });
}

// suffixBPE is as CLIP's: words end in a mark, and what is unknown is one token.
function suffixBPE() {
  const list = counted(words(/[a-z]+/g)).map(([w, n]) => [[...w.slice(0, -1), w.at(-1) + '</w>'], n]);
  const merges = train(list, 200);
  const letters = [...'abcdefghijklmnopqrstuvwxyz.,!?\'"'];
  const vocab = vocabulary(letters, letters.map((c) => c + '</w>'), merges.map((m) => m.join('')), ['<unk>']);
  return file({
    added_tokens: [added(vocab['<unk>'], '<unk>')],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }, { type: 'Lowercase' }, { type: 'Strip', strip_left: true, strip_right: false }] },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Punctuation', behavior: 'Contiguous' }, { type: 'Digits', individual_digits: true }] },
    decoder: { type: 'BPEDecoder', suffix: '</w>' },
    model: bpe(vocab, merges, { unk_token: '<unk>', end_of_word_suffix: '</w>' }),
  });
}

// prefixBPE marks what continues a word.
function prefixBPE() {
  const list = counted(words(/[a-z]+/g)).map(([w, n]) => [[w[0], ...[...w.slice(1)].map((c) => '##' + c)], n]);
  const join = (a, b) => a + b.slice(2);
  const merges = train(list, 150, join);
  const letters = [...'abcdefghijklmnopqrstuvwxyz'];
  const vocab = vocabulary(['[UNK]'], letters, letters.map((c) => '##' + c), merges.map((m) => join(...m)));
  return file({
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }, { type: 'FixedLength', length: 7 }] },
    normalizer: { type: 'Lowercase' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
    model: bpe(vocab, merges, { unk_token: '[UNK]', continuing_subword_prefix: '##', fuse_unk: true }),
  });
}

// pieces are substrings with the logarithm of how frequent they are.
function pieces(list) {
  const counts = new Map();
  for (const w of list) for (let i = 0; i < w.length; i++) for (let l = 1; l <= 6 && i + l <= w.length; l++) {
    const piece = w.slice(i, i + l);
    if ([...piece].length * 1 && piece.isWellFormed()) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  return [...counts].filter(([p, n]) => n > 2 || p.length === 1 && p < '\u0250').sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 600)
    .map(([p, n]) => [p, Math.round(Math.log(n / 5000) * 1e4) / 1e4]);
}

// doubleArray writes a charsmap as SentencePiece does.
function charsmap(rules) {
  let texts = Buffer.alloc(0);
  const root = { next: new Map() };
  for (const [from, to] of rules) {
    let node = root;
    for (const b of Buffer.from(from, 'utf8')) {
      if (!node.next.has(b)) node.next.set(b, { next: new Map() });
      node = node.next.get(b);
    }
    node.value = texts.length;
    texts = Buffer.concat([texts, Buffer.from(to + '\0', 'utf8')]);
  }
  // The units of a node's children lie at its base, each at base ^ label; its value at base ^ 0.
  const units = new Map([[0, 0]]);
  const place = (node, at, label) => {
    const labels = [...(node.value === undefined ? [] : [0]), ...node.next.keys()];
    let base = 256;
    const offset = (b) => at ^ b;
    while (labels.some((l) => units.has(base ^ l)) || offset(base) >= 1 << 21) base++;
    for (const l of labels) units.set(base ^ l, 0);
    units.set(at, ((offset(base) << 10) | (node.value === undefined ? 0 : 1 << 8) | label) >>> 0);
    if (node.value !== undefined) units.set(base, (node.value | (1 << 31)) >>> 0);
    for (const [l, child] of node.next) place(child, base ^ l, l);
  };
  place(root, 0, 0);
  const size = Math.max(...units.keys()) + 256;
  const blob = Buffer.alloc(4 + 4 * size);
  blob.writeUInt32LE(4 * size, 0);
  for (const [at, unit] of units) blob.writeUInt32LE(unit, 4 + 4 * at);
  return Buffer.concat([blob, texts]).toString('base64');
}

const charRules = [['ﬁ', 'fi'], ['ﬂ', 'fl'], ['\u00a0', ' '], ['\u3000', ' '], ['\t', ' '], ['\n', ' '], ['é', 'e'], ['e\u0308', 'ë'], ['Å', 'Å'], ['①', '1'], ['Ａ', 'A'], ['１', '1'], ['…', '...'], ['\u200b', ''], ['ｶ', 'カ'], ['中', '[中]']];

function unigram() {
  const vocab = [['<unk>', 0], ['<s>', 0], ['</s>', 0], ...pieces(words(/ ?\S+/g).map((w) => '▁' + w.trim()))];
  return file({
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '</s>'), added(vocab.length, '<mask>', { lstrip: true })],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled', precompiled_charsmap: charsmap(charRules) }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }] },
    post_processor: { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }], special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } } },
    decoder: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
    model: { type: 'Unigram', unk_id: 0, vocab, byte_fallback: false },
  });
}

function unigramBytes() {
  const f = unigram();
  f.normalizer = { type: 'Sequence', normalizers: [{ type: 'Nmt' }, { type: 'NFKD' }, { type: 'Prepend', prepend: '▁' }, { type: 'Replace', pattern: { String: ' ' }, content: '▁' }] };
  f.pre_tokenizer = null;
  f.decoder = { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false }, { type: 'Fuse' }] };
  f.added_tokens = f.added_tokens.slice(0, 3);
  f.model.byte_fallback = true;
  f.model.vocab = [...f.model.vocab.slice(0, 3), ...bytes.map((b) => [b, -9.5]), ...f.model.vocab.slice(3)];
  return f;
}

function wordPiece() {
  const seen = counted(words(/[A-Za-z]+/g).map((w) => w.toLowerCase())).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 250).map((w) => w[0]);
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789.,:;!?-\'"()[]{}<>/|=+*_#$%&@^~`\\中文世界한국日本ελνик'];
  const vocab = vocabulary(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], letters, letters.map((c) => '##' + c), seen, ['##ing', '##ed', '##tion', '##s', '##er', '##able']);
  return file({
    added_tokens: [0, 1, 2, 3, 4].map((i) => added(i, Object.keys(vocab)[i])),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab },
  });
}

function wordLevel() {
  const seen = counted(words(/[A-Za-z0-9]+|[^\sA-Za-z0-9]/gu)).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 400).map((w) => w[0]);
  return file({
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: '\\s' }, behavior: 'Removed', invert: false }, { type: 'Split', pattern: { Regex: '[\\w&&[^a-c]]' }, behavior: 'MergedWithPrevious', invert: true }, { type: 'CharDelimiterSplit', delimiter: 'o' }, { type: 'Digits', individual_digits: false }] },
    normalizer: { type: 'NFC' },
    model: { type: 'WordLevel', vocab: vocabulary(['[UNK]'], seen), unk_token: '[UNK]' },
  });
}

export function smallFiles() {
  return {
    byte_bpe: byteBPE(), roberta: roberta(), byte_normalizer: byteNormalizer(), sentence_bpe: sentenceBPE(), suffix_bpe: suffixBPE(), prefix_bpe: prefixBPE(),
    unigram: unigram(), unigram_bytes: unigramBytes(), word_piece: wordPiece(), word_level: wordLevel(),
  };
}
