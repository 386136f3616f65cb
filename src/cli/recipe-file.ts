/** `--recipe file.yaml`: the file read, or all that is wrong in it by lines. Knows no flag but its own. */
import { AppError } from '#base/errors.ts';
import { OLIVE_DEFAULTS } from '#recipe/olive.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { recipeFromYaml } from '#recipe/yaml.ts';
import { openNodeFile } from '#storage/node-files.ts';

/** A recipe has a few kilobytes. */
const MAX_BYTES = 1_048_576;
/** What a file may leave to flags, as no combination of its other fields contradicts it. */
const ELSEWHERE = { model: 'model', data_files: ['rows'], mapping: { kind: 'template', template: '{text}' } } as const;

/**
 * The fields of a recipe's file.
 * @throws AppError `storage/not-found`, `recipe/invalid` that lists every issue with its line and details the first
 */
export async function readRecipeFile(path: string): Promise<Partial<Recipe>> {
  const source = await openNodeFile(path);
  if (source.sizeBytes > MAX_BYTES) {
    const [found, expected] = [`a file of ${source.sizeBytes} bytes`, `a recipe of at most ${MAX_BYTES}`];
    throw new AppError('recipe/invalid', `${path}: ${found} was found, ${expected} was expected`, { file: path, found, expected });
  }
  const text = new TextDecoder().decode(await source.read(0, source.sizeBytes));
  const { said, issues } = await recipeFromYaml(text, { ...OLIVE_DEFAULTS, ...ELSEWHERE, data_files: [...ELSEWHERE.data_files] });
  if (said !== null) return said;
  const [first] = issues;
  const lines = issues.map(({ line, field, found, expected }) => {
    return `${line === null ? '' : `line ${line}: `}${field}: ${found} was found, ${expected} was expected`;
  });
  throw new AppError('recipe/invalid', `${path}: ${lines.join('; ')}`, { file: path, ...first, line: first?.line ?? undefined });
}
