// The texts whose ids are held against the reference: what people write, what
// programs write, and what neither should.

const plain = [
  '', ' ', 'a', 'Hello, world!', 'The quick brown fox jumps over the lazy dog.', 'hello', ' hello', '  hello', 'Hello\nworld',
  "I'm sure they'll say it's fine, but we've seen they'd rather not, and you're right: I don't.",
  "I'M SURE THEY'LL SAY IT'S FINE; WE'VE SEEN THEY'D. YOU'RE RIGHT", "'S 'T 're 'Ve 'lL", "it''s '' 'twas 'tis rock'n'roll O'Neill’s",
  'What is the capital of France?', 'Explain quantum computing in simple terms.', 'Write a haiku about the sea.',
  'antidisestablishmentarianism supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis',
  'ALL CAPS TEXT WITH Mixed CaSe WoRdS and camelCaseIdentifiers SnakeCase_and_under_scores HTTPServer XMLHttpRequest',
  'e.g. i.e. etc. Mr. Dr. U.S.A. Ph.D. 3.14 v1.2.3-rc.1+build.5', 'https://example.com/path?query=1&other=two#fragment',
  'user@example.org, (555) 123-4567', 'C:\\Users\\name\\Documents\\file.txt', '/usr/local/bin/env', '$HOME/.config/app.toml',
  '$1,234,567.89 €99.99 £5 ¥1000 ₹250 ₿0.5', '50% off!!! Buy now??? #hashtag @mention', '“Curly quotes” ‘single’ — em dash – en dash … ellipsis',
  '"straight" \'single\' `backtick` ``double`` ```triple```', '(parens) [brackets] {braces} <angles> «guillemets»',
  'a+b=c a-b a*b a/b a^b a|b a&b a~b a!b a?b a:b a;b', '!!!!!!!!', '????', '........', '-----', '=====', '_____', '*****', '#####', '/////', '<<<<>>>>',
  'one,two;three:four.five', 'word' + '.'.repeat(50), 'ha'.repeat(60), 'no'.repeat(200), 'x'.repeat(300),
  'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'aAbBcCdDeEfF', 'qwertyuiop asdfghjkl zxcvbnm',
  'The year 1984, the 21st century, 2nd, 3rd, 100th.', 'Room 101', 'Error 404: Not Found', '10:30 AM', '2024-01-15T10:30:00Z',
];

const digits = [
  '0', '1', '12', '123', '1234', '12345', '123456', '1234567', '12345678', '1234567890', '3141592653589793238462643383279502884197',
  '1 2 3 4 5 6 7 8 9 10 11 12 13', '1,000,000', '0x1F600 0b1010 0o777 1e10 1.5e-7', '١٢٣٤٥ ०१२३ ๐๑๒๓ 一二三 ⅠⅡⅢ ½¼¾ ²³¹ ①②③',
  'abc123def456', '007', '00000000', '1'.repeat(100), '-1 +2 ±3', '192.168.0.1', '255.255.255.255:8080',
];

const spaces = [
  '  ', '   ', '    ', '        ', ' '.repeat(100), '\n', '\n\n', '\n\n\n', '\n\n\n\n\n\n\n\n', '\t', '\t\t', '\t\t\t\t', '\r\n', '\r\n\r\n', '\r', '\r\r',
  ' \n', '\n ', ' \n ', '  \n  ', '\t\n', '\n\t', ' \t \t ', 'a b', 'a  b', 'a   b', 'a    b', 'a\tb', 'a\t\tb', 'a\nb', 'a\n\nb', 'a\n\n\nb', 'a \n b', 'a  \n\n  b',
  'a ', 'a  ', 'a   ', 'a\n', 'a\n\n', 'a\t', ' a', '  a', '   a', '\na', '\n\na', '\ta', 'a \n', 'a\n ', 'a\n  ', 'a \n\n \n b',
  'line one\r\nline two\r\n\r\nline four', 'trailing spaces   \nand more   \n', 'tabs\tand\tspaces  mixed\t \t here', ' leading and trailing ',
  'a\u00a0b', '\u00a0\u00a0', 'a\u2003b\u2009c', '\u3000全角スペース\u3000', 'a\u200bb', 'a\u202fb', '\u2028\u2029', '\u0085', 'a\u0085b', '\u1680', '\u000b\u000c', 'a\u000bb\u000cc',
  ' \u00a0 \u2003 \n\u3000', '.  .  .', '1  2   3', '  1', '  .', '  中', '   \u00e9', "  's", ' \' s', '\n\n  indented', '    four\n        eight\n            twelve',
];

const code = [
  'def f(x):\n    return x ** 2\n\nprint(f(3))\n', 'for (int i = 0; i < n; i++) {\n\tsum += a[i];\n}\n', 'if err != nil {\n\t\treturn nil, fmt.Errorf("read %q: %w", name, err)\n\t}\n',
  '<!DOCTYPE html>\n<html lang="en">\n  <head><title>Test</title></head>\n  <body class="x y">&nbsp;&lt;</body>\n</html>', '{"key": "value", "list": [1, 2, 3], "nested": {"a": null, "b": true}}',
  'SELECT id, name FROM users WHERE age >= 18 AND name LIKE \'%son\' ORDER BY id DESC LIMIT 10;', '#include <stdio.h>\nint main(void) { printf("Hi\\n"); return 0; }',
  'const f = async (x) => { await fetch(`/api/${x}`); return x?.y ?? 0; };', 'fn main() -> Result<(), Box<dyn Error>> { let x: &\'static str = "a"; Ok(()) }',
  'import numpy as np\nA = np.zeros((3, 3), dtype=np.float32)\nA[0, :] = 1.0', '#!/bin/bash\nset -euo pipefail\nfor f in *.txt; do echo "${f%.txt}"; done', 'a[i][j] = b->c.d(e, f)(g);',
  '\\begin{equation} \\int_0^\\infty e^{-x^2} dx = \\frac{\\sqrt{\\pi}}{2} \\end{equation}', 'x_1 + x_2^{n+1} \\leq \\alpha', '/* comment */ // another\n# third\n-- fourth', 'i++; --j; k <<= 2; l >>>= 3; m ||= n; o &&= p; q ??= r;',
  '.class > #id::before { content: "\\201C"; margin: 0 auto !important; }', 'diff --git a/x b/x\n@@ -1,3 +1,4 @@\n-old\n+new\n', 'key: value\nlist:\n  - a\n  - b\nmulti: |\n  line\n', '[section]\nname = "x"\n\n[[array]]\nn = 1\n',
  '| a | b |\n|---|---|\n| 1 | 2 |\n', '# Title\n\n## Sub\n\n- item\n  - nested\n\n1. one\n2. two\n\n> quote\n\n**bold** _it_ `code`\n\n---\n', '\u001b[31mred\u001b[0m', 'EOF\n\n\n', '0xDEADBEEF 0XdeadBEEF', 'std::vector<std::pair<int,std::string>>', '@Override public static void main(String[] args)',
  'https://[::1]:8080/?q=%E4%B8%AD%E6%96%87', 'rgba(255, 0, 127, .5)', '<|not|> <special> [INST] [/INST] <<SYS>>', 'a=b&c=d+e%20f',
];

const languages = [
  'Größe, Straße, Übermut, naïve café résumé', 'El niño comió piñas en España. ¿Qué tal? ¡Bien!', 'Où est la bibliothèque ? L’été, c’est l’Œuvre.', 'Żółć, gęślą jaźń', 'Příliš žluťoučký kůň úpěl ďábelské ódy', 'Árvíztűrő tükörfúrógép', 'İstanbul’da ışık ve Iğdır', 'Þetta er íslenska', 'Tiếng Việt có nhiều dấu: ặ ễ ổ ữ',
  'Съешь же ещё этих мягких французских булок, да выпей чаю.', 'Українська мова: ґанок, їжак, є', 'Ελληνικά: Ξεσκεπάζω την ψυχοφθόρα βδελυγμία ΟΔΟΣ οδός', 'Հայերեն լեզու', 'ქართული ენა', 'שלום עולם, מה שלומך היום?', 'שָׁלוֹם', 'مرحبا بالعالم! كيف حالك اليوم؟', 'السَّلَامُ عَلَيْكُمْ', 'فارسی: می‌خواهم کتاب‌ها را بخوانم', 'اردو زبان',
  'नमस्ते दुनिया, आप कैसे हैं?', 'বাংলা ভাষা', 'தமிழ் மொழி வணக்கம்', 'తెలుగు భాష', 'ಕನ್ನಡ ಭಾಷೆ', 'മലയാളം ഭാഷ', 'ગુજરાતી', 'ਪੰਜਾਬੀ', 'සිංහල භාෂාව', 'สวัสดีชาวโลก วันนี้อากาศดีมาก', 'น้ำใจไมตรี', 'ພາສາລາວ', 'မြန်မာဘာသာ', 'ភាសាខ្មែរ', 'བོད་སྐད', 'አማርኛ ቋንቋ',
  '你好，世界！今天天气怎么样？', '中文和English混排，数字123，标点。', '繁體中文測試：龍鳳麒麟', '日本語のテキスト：ひらがな、カタカナ、漢字。', 'ｶﾀｶﾅ ﾊﾝｶｸ ＦＵＬＬ　ＷＩＤＴＨ　１２３', 'こんにちは世界', 'コンピューター', '안녕하세요 세계, 오늘 날씨가 좋네요.', '한국어와 English', '가나다라마바사', '𠮷野家 𩸽 㐂 龦 鿕', '〇〇ー々〻', 'ㄅㄆㄇ', 'ꦗꦮ', 'ᐃᓄᒃᑎᑐᑦ', 'ꙮ ⁂ ‽', 'ᏣᎳᎩ', 'Ａ１！',
];

const signs = [
  '🙂', '😀😃😄😁', '👍🏽👩‍👩‍👧‍👦👨🏿‍🚀', '🇩🇪🇫🇷🇯🇵', '❤️ ❤ ☺️ ☺', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'text🙂text', '🙂 🙂', '1️⃣2️⃣#️⃣', '🫠🫡🫨', '→ ← ↑ ↓ ⇒ ∀∃∈∉∑∏√∞≤≥≠≈', '∫∂∇·×÷±', '█▓▒░ ┌─┐│└┘ ╔═╗', '♠♥♦♣ ♔♕ ☀☁☂', '© ® ™ § ¶ † ‡ •', '№ ℃ Å Ω µ', '𝐀𝐁𝐂 𝒜𝒷𝒸 𝔸𝕓', 'ﬁ ﬂ ﬀ ﬃ ﬆ', 'a\u0301 e\u0308 n\u0303 o\u0302', 'é é', 'Å Å Å', '각 각', 'q\u0307\u0323 q\u0323\u0307', 'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!', 'ǅ ǈ ǋ ǲ', 'ß ẞ ſ K', "'ſ 'K", 'ʼn ŉ', 'ª º ʰ ˠ', '\u0e33', '\u0958 \u095c \u0a33',
];

const junk = [
  '\u0000', '\u0001\u0002\u0003', 'a\u0000b', '\u007f', '\u0080\u0081\u009f', '\ufffd', '\ufffd\ufffd\ufffd', 'a\ufffdb', '\ufeff', '\ufeffBOM', 'a\ufeffb', '\u200d\u200c\u200e\u200f', '\u202e reversed', '\u00ad soft\u00adhyphen', '\ue000\uf8ff', '\u{10ffff}', '\u{f0000}', '\ufdd0 \uffff', '\u0378\u0379', '\u{1fae8}\u{1fa77}', '\u2060\u2063', '\u180e', '\u115f\u1160\u3164', '\u034f', '\u{e0001}', '\u001f\u001e', '\b\b', '\u0007bell', '\u{1d173}',
];

const special = [
  '<|endoftext|>', 'a<|endoftext|>b', '<|endoftext|><|endoftext|>', ' <|endoftext|> ', '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n', '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>', '<bos><start_of_turn>user\nHi<end_of_turn>\n', '<s>[INST] Hi [/INST] Hello</s>', '<s>', '</s>', '<unk>', 'x<unk>y', '<pad>', '<eos>', '<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>', '<｜fim▁hole｜>', 'a <｜User｜> b', '<tool_call>\n{"name": "f"}\n</tool_call>', '<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>', '<0x0A>', '<0x41>', '▁', '▁▁a', 'a▁b', 'Ġhello', 'Ċ', '[CLS] [SEP] [MASK] [UNK] [PAD]', 'a[MASK]b', ' [MASK] ', '<mask>  x', 'x  <mask>', '<unused0><unused1>', '\n<b>\n</b>', '[MASK]ed un[MASK]', '<LTok>  a', 'a  <LTok>', 'b  <RTok>  c', 'word sword word words', 'Straße STRASSE', '##ing', 'play##ing',
];

// drawn makes texts of odd characters by a fixed sequence.
function drawn() {
  let state = 12345n;
  const next = (n) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((state >> 33n) % BigInt(n));
  };
  const alphabets = ['abcdefghijklmnop ', 'aA1 .,\n\t', ' \n\t\r\u00a0', 'éßñüøå ', 'абвгд ', '中文字漢 。', '🙂👍🏽❤️', 'ab\'s\'re\'LL ', '0123456789', '!?-_=+*/\\|<>[]{}() ', 'กขคง ', 'ابتث ', '\u0301\u0308ao', '\u0000\u0007\ufffd\u200b '].map((a) => [...a]);
  const out = [];
  for (let i = 0; i < 60; i++) {
    let text = '';
    for (let n = 3 + next(60); n > 0; n--) {
      const a = alphabets[i % 3 === 0 ? next(alphabets.length) : i % alphabets.length];
      text += a[next(a.length)];
    }
    out.push(text);
  }
  return out;
}

const long = [
  [...plain.slice(3, 20), ...languages.slice(0, 9)].join(' '),
  code.join('\n\n'),
  languages.join('\n'),
  (plain[4] + ' ').repeat(40),
  '中文'.repeat(80), 'สวัสดี'.repeat(30), '🙂'.repeat(40), 'a\n'.repeat(60), ' a'.repeat(80), '\n \n'.repeat(20), 'AB'.repeat(100),
];

export const texts = [...plain, ...digits, ...spaces, ...code, ...languages, ...signs, ...junk, ...special, ...drawn(), ...long];
