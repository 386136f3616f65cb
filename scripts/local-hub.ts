/**
 * A small hub on this machine for development: `node --import ./bin/loader.mjs scripts/local-hub.ts [--port N] [--gated] FOLDER...`.
 * Each folder is the model local/<its name>, its *.parquet files the dataset of that name; with --gated they want the token `local-token`.
 */
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeFolder } from '#storage/node-files.ts';
import { LocalHub } from '#storage/testing/local-hub.ts';

const TOKEN = 'local-token';
const options = { port: { type: 'string', default: '8090' }, gated: { type: 'boolean', default: false } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });

const hub = await LocalHub.start([], Number(values.port));
hub.tokens.add(TOKEN);
for (const folder of positionals) {
  const id = `local/${basename(resolve(folder))}`;
  const files: Record<string, Uint8Array> = {};
  for (const [path, source] of await openNodeFolder(folder)) files[path] = await source.read(0, source.sizeBytes);
  const access = values.gated ? { gated: 'manual' as const, readers: [TOKEN] } : {};
  const parquet = Object.entries(files).filter(([path]) => path.endsWith('.parquet'));
  if (parquet.length > 0) {
    const shards = parquet.map(([, bytes], i) => [`default/train/${String(i).padStart(4, '0')}.parquet`, bytes] as const);
    hub.put({ id, kind: 'dataset', files, parquet: Object.fromEntries(shards), ...access });
  } else {
    hub.put({ id, files, info: infoOf(files), tags: ['text-generation'], ...access });
  }
  process.stdout.write(`${hub.endpoint}/${parquet.length > 0 ? 'datasets/' : ''}${id}\n`);
}
process.stdout.write(`HF_ENDPOINT=${hub.endpoint}\n`);

/** What a hub reads out of the files. */
function infoOf(files: Record<string, Uint8Array>): Record<string, unknown> {
  const parse = (name: string) => (files[name] ? (JSON.parse(new TextDecoder().decode(files[name])) as object) : undefined);
  const tokenizer = parse('tokenizer_config.json');
  const template = files['chat_template.jinja'] && new TextDecoder().decode(files['chat_template.jinja']);
  return { config: { ...parse('config.json'), tokenizer_config: tokenizer, chat_template_jinja: template } };
}
