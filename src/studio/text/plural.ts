/** A number with its noun, in English. */
import { count } from '#studio/text/format.ts';

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
