/** SHA-256 of bytes that come in pieces, which the Web Crypto API does not offer. Knows no file. */

const BLOCK_BYTES = 64;
const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const ROUND_CONSTANTS = cubeRootBits(64);

/** @source FIPS 180-4, sections 5 and 6.2 */
export class Sha256 {
  readonly #state = Int32Array.from(START);
  readonly #words = new Int32Array(64);
  readonly #rest = new Uint8Array(BLOCK_BYTES);
  #restBytes = 0;
  #totalBytes = 0;

  update(bytes: Uint8Array): void {
    this.#totalBytes += bytes.byteLength;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.#restBytes, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < BLOCK_BYTES) return;
      compress(this.#state, this.#words, this.#rest, 0);
      this.#restBytes = 0;
    }
    for (; at + BLOCK_BYTES <= bytes.byteLength; at += BLOCK_BYTES) compress(this.#state, this.#words, bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#restBytes = bytes.byteLength - at;
  }

  /** Lower-case hex of all that came. Nothing may come after it. */
  hex(): string {
    const totalBytes = this.#totalBytes;
    // A one, then zeros up to eight bytes before the end of a block, then the length in bits.
    const padding = new Uint8Array(((119 - this.#restBytes) % BLOCK_BYTES) + 9);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.byteLength - 8, Math.floor(totalBytes / 2 ** 29));
    view.setUint32(padding.byteLength - 4, (totalBytes * 8) >>> 0);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** One block of 64 bytes from `start` goes into the state; `w` is scratch of 64 words. */
function compress(state: Int32Array, w: Int32Array, bytes: Uint8Array, start: number): void {
  for (let i = 0, at = start; i < 16; i++, at += 4) {
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

/** Exact, in whole numbers: the cube root of p with 32 bits after the point is the greatest n with n^3 <= p * 2^96. */
function cubeRootBits(count: number): Int32Array {
  const bits = new Int32Array(count);
  for (let found = 0, prime = 2; found < count; prime++) {
    if (!isPrime(prime)) continue;
    const target = BigInt(prime) << 96n;
    let root = 0n;
    for (let bit = 1n << 35n; bit > 0n; bit >>= 1n) {
      const tried = root | bit;
      if (tried * tried * tried <= target) root = tried;
    }
    bits[found++] = Number(BigInt.asIntN(32, root));
  }
  return bits;
}

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}
