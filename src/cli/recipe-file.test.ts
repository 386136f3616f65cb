import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRecipeFile } from '#cli/recipe-file.ts';
import { OLIVE_DEFAULTS } from '#recipe/olive.ts';
import { recipeToYaml } from '#recipe/yaml.ts';

const folder = mkdtempSync(join(tmpdir(), 'loratory-recipe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(text: string): string {
  const path = join(folder, 'recipe.yaml');
  writeFileSync(path, text);
  return path;
}

describe('readRecipeFile', () => {
  it('reads what the page writes', async () => {
    const recipe = { ...OLIVE_DEFAULTS, model: 'm', data_files: ['a.json'], mapping: { kind: 'text' as const, column: '上海' } };
    expect(await readRecipeFile(fileOf(await recipeToYaml(recipe)))).toEqual(recipe);
  });

  it('leaves the rows to flags', async () => {
    expect(await readRecipeFile(fileOf('strategy: line-by-line\nloss_on: answer\n'))).toEqual({
      strategy: 'line-by-line',
      loss_on: 'answer',
    });
  });

  it('names the file, each line, what was found and what was expected', async () => {
    const path = fileOf('lora_rank: 8\nseed: 1\nlearning_rate: -1\n');
    await expect(readRecipeFile(path)).rejects.toMatchObject({
      code: 'recipe/invalid',
      message:
        `${path}: line 1: lora_rank: an unknown field was found, lora_r was expected; ` +
        'line 3: learning_rate: -1 was found, a number from 0 to 10 was expected',
      details: { file: path, field: 'lora_rank', line: 1 },
    });
  });

  it('refuses a file that is no recipe by its size, and one that is not there by its name', async () => {
    await expect(readRecipeFile(fileOf('#'.repeat(2 ** 20 + 1)))).rejects.toMatchObject({ code: 'recipe/invalid' });
    await expect(readRecipeFile(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'storage/not-found' });
  });
});
