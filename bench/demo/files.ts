/** The shipped demo as the page has it: model, rows, recipe. */
import { readFile } from 'node:fs/promises';
import type { NamedFile } from '#protocol/trainer.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { validateRecipe } from '#recipe/validate.ts';

const FOLDER = new URL('../../public/demo/', import.meta.url);
const MODEL_FILES = ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

export async function demoFile(name: string): Promise<NamedFile> {
  return { path: name, file: new Blob([await readFile(new URL(name, FOLDER))]) };
}

export const modelFiles = () => Promise.all(MODEL_FILES.map(demoFile));

/** What the shipped recipe does not name has its default, as in the page. */
export async function shippedRecipe(change: Partial<Recipe>): Promise<Recipe> {
  const shipped = JSON.parse(await readFile(new URL('recipe.json', FOLDER), 'utf8')) as Record<string, unknown>;
  return validateRecipe({ ...DEFAULTS, ...shipped, ...change });
}
