/** Which browser this is, as far as it decides what to do about WebGPU. */

export type BrowserFamily = 'chromium' | 'safari' | 'firefox';

export function browserFamily(userAgent: string): BrowserFamily | null {
  // Every browser of iOS is WebKit underneath, and those of Chromium call themselves Safari too.
  if (/iPhone|iPad/.test(userAgent)) return 'safari';
  if (/Firefox\//.test(userAgent)) return 'firefox';
  if (/Chrom(e|ium)\//.test(userAgent)) return 'chromium';
  return /Safari\//.test(userAgent) ? 'safari' : null;
}
