/** Lines of JSON that each carry a hash of their own: a crash may tear the last one, and a changed byte shows. Knows nothing of what they say. */
import { sha256Hex } from '#storage/file-store.ts';
import type { DamagedFile } from '#storage/sealed-json.ts';

const SEAL_DIGITS = 16;

const sealOf = async (text: string) => (await sha256Hex(new TextEncoder().encode(text))).slice(0, SEAL_DIGITS);

/** JSON on a line whose last field, `seal`, is the beginning of the SHA-256 of the JSON without it. */
export async function sealLine(object: object): Promise<string> {
  const text = JSON.stringify(object);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"seal":"${await sealOf(text)}"}\n`;
}

const SEALED = /,?"seal":"([0-9a-f]{16})"\}$/;
/** The end of a line that was written to its end, of whose last bytes one may have been changed. A torn line has no such end. */
const WRITTEN_TO_END = /"seal":"[^]{16}(?:"\}|[^]\}|"[^])$|[^]{8}[0-9a-f]{16}"\}$/;

/** The objects of whole lines, in order. `damaged` names the first line that was changed; torn ones are left out without a word. */
export async function readSealedLines(path: string, bytes: Uint8Array): Promise<{ records: object[]; damaged: DamagedFile | null }> {
  const records: object[] = [];
  let damaged: DamagedFile | null = null;
  const lines = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).split('\n');
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const object = await openLine(line);
    if (object !== null) records.push(object);
    else if (WRITTEN_TO_END.test(line)) damaged ??= { path, found: `line ${i + 1}, which was changed`, expected: 'it as it was written' };
  }
  return { records, damaged };
}

async function openLine(line: string): Promise<object | null> {
  const match = SEALED.exec(line);
  if (match === null) return null;
  const text = `${line.slice(0, match.index)}}`;
  return (await sealOf(text)) === match[1] ? (JSON.parse(text) as object) : null;
}
