/** Reads fields of a hub's answers, none of which is trusted. Knows no field by name. */

/** The value below an object's fields; undefined where one of them is missing or holds no object. */
export function valueAt(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined),
    value,
  );
}

export function textAt(value: unknown, ...path: string[]): string | null {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : null;
}

/** A whole number from 0, or null. */
export function countAt(value: unknown, ...path: string[]): number | null {
  const found = valueAt(value, ...path);
  return Number.isSafeInteger(found) && (found as number) >= 0 ? (found as number) : null;
}

export function listAt(value: unknown, ...path: string[]): unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? (found as unknown[]) : [];
}

/** The fields of an object; none where it is something else. */
export function entriesAt(value: unknown, ...path: string[]): [string, unknown][] {
  const found = valueAt(value, ...path);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.entries(found) : [];
}
