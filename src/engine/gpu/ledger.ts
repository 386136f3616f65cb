/** Counts every buffer by purpose: live, peak. Knows nothing of WebGPU. */

export const PURPOSES = [
  'weights',
  'adapter',
  'gradients',
  'optimizer',
  'activations',
  'kv-cache',
  'batch',
  'uniforms',
  'scratch',
  'readback',
] as const;

export type Purpose = (typeof PURPOSES)[number];
export type BytesByPurpose = Record<Purpose, number>;

export function noBytes(): BytesByPurpose {
  return Object.fromEntries(PURPOSES.map((purpose) => [purpose, 0])) as BytesByPurpose;
}

export function totalBytes(bytes: BytesByPurpose): number {
  return PURPOSES.reduce((sum, purpose) => sum + bytes[purpose], 0);
}

export function addBytes(a: BytesByPurpose, b: BytesByPurpose): BytesByPurpose {
  return Object.fromEntries(PURPOSES.map((purpose) => [purpose, a[purpose] + b[purpose]])) as BytesByPurpose;
}

/** What a device holds now and at most held, in bytes, by purpose. */
export class Ledger {
  readonly live: BytesByPurpose = noBytes();
  /** What was live by purpose at the moment when the total was highest. */
  atPeak: BytesByPurpose = noBytes();
  peakBytes = 0;

  get liveBytes(): number {
    return totalBytes(this.live);
  }

  add(purpose: Purpose, sizeBytes: number): void {
    this.live[purpose] += sizeBytes;
    if (this.liveBytes > this.peakBytes) {
      this.peakBytes = this.liveBytes;
      this.atPeak = { ...this.live };
    }
  }

  /** From here on the peak is that of what comes: of one run, and not of those before it. */
  restartPeak(): void {
    this.peakBytes = this.liveBytes;
    this.atPeak = { ...this.live };
  }

  remove(purpose: Purpose, sizeBytes: number): void {
    this.live[purpose] -= sizeBytes;
  }
}
