import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ALIASES, OTHER_FLAGS, RECIPE_FLAGS, defaultText } from '#cli/flags.ts';
import { RECIPE_FIELDS } from '#recipe/fields.ts';

const page = readFileSync(new URL('../../docs/CLI.md', import.meta.url), 'utf8');
const table = page
  .slice(page.indexOf('| flag |'), page.indexOf('\n\n', page.indexOf('| flag |')))
  .split('\n')
  .slice(2);

describe("docs/CLI.md's table of flags", () => {
  it('has every flag once, and no other', () => {
    const named = table.flatMap((row) => [...row.split('|')[1].matchAll(/--(\w+)/g)].map(([, name]) => name));
    expect(named.sort()).toEqual([...RECIPE_FLAGS, ...Object.keys(OTHER_FLAGS), ...Object.keys(ALIASES)].sort());
  });

  it.each(RECIPE_FLAGS)("says of --%s what the recipe's schema says", (name) => {
    const also = Object.entries(ALIASES).flatMap(([alias, of]) => (of === name ? [`, \`--${alias}\``] : []));
    expect(table).toContain(`| \`--${name}\`${also.join('')} | ${defaultText(name)} | ${RECIPE_FIELDS[name].about} |`);
  });

  it('gives the short forms that are read', () => {
    for (const [name, { short }] of Object.entries(OTHER_FLAGS).map(([n, flag]) => [n, flag as { short?: string }] as const)) {
      const row = table.find((line) => line.includes(`\`--${name}\``));
      expect(row?.includes(`\`-${short}\``)).toBe(short !== undefined);
    }
  });
});
