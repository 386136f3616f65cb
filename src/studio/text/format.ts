/** Numbers as people read them: units, no false precision. Knows no component. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

const compactFormat = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** For axes: 6K, 100K, 3.2M. */
export function compact(value: number): string {
  return compactFormat.format(value);
}

/** 2.0M, 135M, 1.2B; below a thousand as it is. */
export function parameters(value: number): string {
  if (value < 1e3) return count(value);
  const [divisor, unit] = value < 1e6 ? [1e3, 'K'] : value < 1e9 ? [1e6, 'M'] : [1e9, 'B'];
  const scaled = value / divisor;
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)}${unit}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB'];

export function bytes(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 || scaled >= 100 ? scaled.toFixed(0) : scaled.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Losses and the like: three decimals below ten, fewer above. */
export function loss(value: number): string {
  if (!Number.isFinite(value)) return 'not finite';
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}

/** 5e-4, 2.5e-5, 0.01: learning rates and the like. */
export function exponent(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return Math.abs(value) < 0.01 ? value.toExponential(3).replace(/\.?0+e/, 'e') : String(Number(value.toPrecision(3)));
}

export function perplexity(value: number): string {
  if (!Number.isFinite(value)) return 'not finite';
  if (value >= 1e6) return value.toExponential(1);
  return value >= 100 ? count(value) : value.toFixed(value < 10 ? 2 : 1);
}

export function rate(value: number): string {
  return value >= 100 ? count(value) : value.toFixed(1);
}

/** 45 s, 2 min 10 s, 1 h 5 min. */
export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) {
    const rest = rounded % 60;
    return rest === 0 ? `${Math.floor(rounded / 60)} min` : `${Math.floor(rounded / 60)} min ${rest} s`;
  }
  const minutes = Math.round(rounded / 60);
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

/** 61.3 %: where a tenth matters. */
export function share(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

/** How long ago, as people say it: just now, 10 minutes ago, 3 days ago. */
export function ago(then: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(then)) / 1000);
  if (!(seconds >= 60)) return 'just now';
  const [size, unit] = seconds < 3600 ? [60, 'minute'] : seconds < 86_400 ? [3600, 'hour'] : [86_400, 'day'];
  const n = Math.floor(seconds / size);
  return `${n} ${unit}${n === 1 ? '' : 's'} ago`;
}
