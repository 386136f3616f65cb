/** Which rows say the same, or almost: exact copies of their words, and near ones by MinHash. Knows texts alone. */

/**
 * Rows whose word shingles have this Jaccard similarity at least are near-duplicates: in a text of 20 words one word may differ, in one
 * of 40 words two that stand apart. Deduplication of training sets takes 0.7 to 0.8.
 */
export const NEAR_DUPLICATE_SIMILARITY = 0.7;

/** Words of a shingle. */
const SHINGLE_WORDS = 3;
/**
 * Bands and hashes of a band: two rows of similarity s meet in a band with probability 1 - (1 - s^4)^16, which is 0.988 at 0.7, 0.9998 at
 * 0.8 and 0.12 at 0.3. Rows that meet are compared by their shingles.
 */
const BANDS = 16;
const BAND_HASHES = 4;
const HASHES = BANDS * BAND_HASHES;
/** Hashes of two rows that must agree before their shingles are compared: 3.5 standard deviations below what is expected at the threshold. */
const LEAST_AGREEING = 32;
/** Rows of one bucket that others are compared with; more would make rows that are alike by their hashes alone cost the square of them. */
const BUCKET_ROWS = 8;
/** The end of a chain of rows. */
const NONE = -1;
/** Rows of fewer shingles are alike only when they are equal: of so few a share means little. */
const FEWEST_SHINGLES = 3;
/**
 * A shingle that more than one row in fifty has belongs to a template, an instruction or a turn of phrase, and says nothing of likeness.
 * Without this, rows that were made from a handful of long templates would be a handful of groups.
 */
const COMMON_SHARE = 0.02;
/** Fewer rows than this make no template. */
const COMMON_ROWS = 20;
/** Slots that count rows by shingle. Two shingles in one slot may only make one of them common. */
const COUNT_SLOTS = 1 << 20;
/** Rows between two calls of `onTurn`: some milliseconds of work. */
const ROWS_PER_TURN = 256;

/** Called every few rows and awaited, so that a caller can give way or throw `run/cancelled`. */
export type OnTurn = () => void | Promise<void>;

/**
 * Groups rows that say the same or almost the same. What the rows have in common (see COMMON_SHARE) is left out of near likeness. Likeness is
 * passed on: rows of one group need not all be alike. Takes time and memory in proportion to the text; needs no random numbers.
 * @param textsOf the texts of a row, those of its columns apart.
 * @returns [rowCount] for each row the first row of its group: itself where it is alone.
 * @source A. Broder, On the resemblance and containment of documents (1997): shingles, MinHash
 * @source J. Leskovec, A. Rajaraman, J. Ullman, Mining of Massive Datasets, 3.4: banding
 */
export async function groupDuplicates(
  rowCount: number,
  textsOf: (row: number) => readonly string[],
  onTurn?: OnTurn,
): Promise<Uint32Array> {
  const groups = new Groups(rowCount);
  const distinct: number[] = [];
  const shingles = new ShingleTable();
  const firstOf = new Map<number, number>();
  for (let row = 0; row < rowCount; row++) {
    if (row % ROWS_PER_TURN === 0) await onTurn?.();
    const texts = textsOf(row);
    const words = hashWords(texts);
    const key = identityOf(words.length > 0 ? words : Array.from(texts.join('\n'), (character) => character.codePointAt(0) ?? 0));
    const first = firstOf.get(key);
    if (first !== undefined) {
      groups.join(first, row);
      continue;
    }
    firstOf.set(key, row);
    distinct.push(row);
    shingles.add(words);
  }
  shingles.dropCommon(Math.max(COMMON_ROWS, Math.ceil(distinct.length * COMMON_SHARE)));
  await joinNear(distinct, shingles, groups, onTurn);
  return groups.firsts();
}

/** Joins the groups of rows that are near-duplicates. Shingles are numbered as the rows of `distinct`. */
async function joinNear(distinct: readonly number[], shingles: ShingleTable, groups: Groups, onTurn?: OnTurn): Promise<void> {
  const signatures = new Int32Array(distinct.length * HASHES);
  for (let i = 0; i < distinct.length; i++) {
    if (i % ROWS_PER_TURN === 0) await onTurn?.();
    minHash(shingles.of(i), signatures.subarray(i * HASHES, (i + 1) * HASHES));
  }
  /** The rows of a bucket are a chain: from the last to the one before, to NONE. */
  const before = new Int32Array(distinct.length);
  for (let band = 0; band < BANDS; band++) {
    const lastOf = new Map<number, number>();
    for (let i = 0; i < distinct.length; i++) {
      if (i % (ROWS_PER_TURN * BANDS) === 0) await onTurn?.();
      if (shingles.count(i) < FEWEST_SHINGLES) continue;
      // A small integer, which a Map finds fastest: rows that share one by chance are compared in vain.
      let key = 0;
      for (let h = 0; h < BAND_HASHES; h++) key = mix(key ^ signatures[i * HASHES + band * BAND_HASHES + h]);
      key >>= 2;
      const last = lastOf.get(key) ?? NONE;
      let other = last;
      let compared = 0;
      for (; other !== NONE && compared < BUCKET_ROWS; compared++, other = before[other]) {
        if (groups.areJoined(distinct[other], distinct[i])) break;
        if (!isNear(i, other)) continue;
        groups.join(distinct[other], distinct[i]);
        break;
      }
      const isNew = other === NONE && compared < BUCKET_ROWS;
      if (!isNew) continue;
      before[i] = last;
      lastOf.set(key, i);
    }
  }

  function isNear(a: number, b: number): boolean {
    let agreeing = 0;
    for (let h = 0; h < HASHES; h++) if (signatures[a * HASHES + h] === signatures[b * HASHES + h]) agreeing++;
    return agreeing >= LEAST_AGREEING && jaccard(shingles.of(a), shingles.of(b)) >= NEAR_DUPLICATE_SIMILARITY;
  }
}

/** What scripts without spaces write: each character is taken for a word. */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[\p{L}\p{M}\p{N}]+/gu;
/** Stands between the words of two texts. */
const BOUNDARY = 0x9e3779b1;

/** Hashes of the words of a row in order: letters and digits, whatever their case, width, spacing and punctuation. */
export function hashWords(texts: readonly string[]): number[] {
  const hashes: number[] = [];
  for (const [i, text] of texts.entries()) {
    if (i > 0 && hashes.length > 0) hashes.push(BOUNDARY);
    for (const [word] of text.normalize('NFKC').toLowerCase().matchAll(WORD)) {
      // FNV-1a over UTF-16 units.
      let hash = 0x811c9dc5;
      for (let c = 0; c < word.length; c++) hash = Math.imul(hash ^ word.charCodeAt(c), 0x01000193);
      hashes.push(hash >>> 0);
    }
  }
  while (hashes.at(-1) === BOUNDARY) hashes.pop();
  return hashes;
}

/** A number that stands for texts as they are, letter by letter. */
export function textIdentity(texts: readonly string[]): number {
  const text = texts.join('\u0000');
  const units = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  return identityOf(units);
}

/** A number below 2^53 that stands for a list of numbers: among a million lists two that differ share one once in 18,000 times. */
function identityOf(values: ArrayLike<number>): number {
  let low = values.length;
  let high = 0x85ebca6b;
  for (let i = 0; i < values.length; i++) {
    low = mix(low ^ values[i]);
    high = mix(Math.imul(high, 0x01000193) + values[i]);
  }
  return (high & 0x1fffff) * 4_294_967_296 + (low >>> 0);
}

/** A permutation of 32 bits in which each bit of the input moves each of the output. @source murmurhash3 (fmix32) */
function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** The shingles of rows one after another: sets, ascending. */
class ShingleTable {
  #values = new Uint32Array(1 << 16);
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #used = 0;

  /** Adds a row: each run of SHINGLE_WORDS words. */
  add(words: readonly number[]): void {
    const count = Math.max(0, words.length - SHINGLE_WORDS + 1);
    if (this.#used + count > this.#values.length) {
      const larger = new Uint32Array(Math.max(this.#used + count, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    const own = this.#values.subarray(this.#used, this.#used + count);
    for (let i = 0; i < count; i++) own[i] = mix(mix(mix(words[i]) + words[i + 1]) + words[i + 2]);
    own.sort();
    this.#starts.push(this.#used);
    this.#used += keepIf(own, (value, previous) => value !== previous);
    this.#ends.push(this.#used);
  }

  of(row: number): Uint32Array {
    return this.#values.subarray(this.#starts[row], this.#ends[row]);
  }

  count(row: number): number {
    return this.#ends[row] - this.#starts[row];
  }

  /** Drops the shingles that more than `limit` rows have. */
  dropCommon(limit: number): void {
    const counts = new Uint32Array(COUNT_SLOTS);
    for (let i = 0; i < this.#used; i++) counts[this.#values[i] % COUNT_SLOTS]++;
    for (const [row, start] of this.#starts.entries()) {
      this.#ends[row] = start + keepIf(this.of(row), (value) => counts[value % COUNT_SLOTS] <= limit);
    }
  }
}

/** Moves the values that are kept to the front, in order; returns how many. `previous`: the one before, whether kept or not. */
function keepIf(values: Uint32Array, isKept: (value: number, previous: number | undefined) => boolean): number {
  let kept = 0;
  let previous: number | undefined;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (isKept(value, previous)) values[kept++] = value;
    previous = value;
  }
  return kept;
}

const FACTORS = Int32Array.from({ length: HASHES }, (_, h) => mix(2 * h + 1) | 1);
const OFFSETS = Int32Array.from({ length: HASHES }, (_, h) => mix(0x51ed270b + h));

/** Of each of HASHES permutations the least value over `shingles`. Multiplying by an odd number permutes 32 bits; the shingles are mixed already. */
function minHash(shingles: Uint32Array, out: Int32Array): void {
  for (let h = 0; h < HASHES; h++) {
    const factor = FACTORS[h];
    const offset = OFFSETS[h];
    let least = 0x7fffffff;
    for (let i = 0; i < shingles.length; i++) {
      const value = (Math.imul(shingles[i], factor) + offset) | 0;
      if (value < least) least = value;
    }
    out[h] = least;
  }
}

/** Size of the intersection over that of the union of two ascending sets. */
function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) shared++;
    const step = a[i] - b[j];
    if (step <= 0) i++;
    if (step >= 0) j++;
  }
  return shared / (a.length + b.length - shared);
}

/** Sets of rows that are joined two by two (union-find with halved paths). The first row of a set stands for it. */
class Groups {
  readonly #parents: Uint32Array;

  constructor(rowCount: number) {
    this.#parents = Uint32Array.from({ length: rowCount }, (_, row) => row);
  }

  #first(row: number): number {
    const parents = this.#parents;
    let at = row;
    while (parents[at] !== at) at = parents[at] = parents[parents[at]];
    return at;
  }

  areJoined(a: number, b: number): boolean {
    return this.#first(a) === this.#first(b);
  }

  join(a: number, b: number): void {
    const [first, second] = [this.#first(a), this.#first(b)].sort((x, y) => x - y);
    this.#parents[second] = first;
  }

  firsts(): Uint32Array {
    return this.#parents.map((_, row) => this.#first(row));
  }
}
