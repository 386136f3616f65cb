/** The demo project: a model, rows and a recipe that lie beside the page. The only requests that the page makes, all to its own origin. */
import { AppError } from '#base/errors.ts';
import type { NamedFile } from '#protocol/trainer.ts';
import type { DatasetSource } from '#studio/stores/dataset.ts';
import type { ModelSource } from '#studio/stores/model.ts';

export const DEMO_NAME = 'demo';
const MODEL_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

export interface Demo {
  model: ModelSource;
  dataset: DatasetSource;
  /** The shipped recipe, as far as it differs from the defaults. */
  recipe: Record<string, unknown>;
}

/** Reads a file of public/demo/. */
export type FetchDemoFile = (name: string) => Promise<Blob>;

/** @throws AppError `storage/not-found` naming the file */
export async function fetchDemoFile(name: string): Promise<Blob> {
  const url = new URL(`demo/${name}`, document.baseURI);
  const failed = (found: string, cause?: unknown) =>
    new AppError('storage/not-found', `${url.pathname}: ${found} was found, a file of the demo was expected`, { file: name, found }, cause);
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw failed('no answer', error);
  }
  if (!response.ok) throw failed(`status ${response.status}`);
  return response.blob();
}

export async function loadDemo(fetchFile: FetchDemoFile): Promise<Demo> {
  const file = async (name: string): Promise<NamedFile> => ({ path: name, file: await fetchFile(name) });
  const [train, heldOut, recipe, ...model] = await Promise.all(['train.jsonl', 'heldout.jsonl', 'recipe.json', ...MODEL_FILES].map(file));
  return {
    model: { name: DEMO_NAME, files: model.map((each) => ({ ...each, path: `${DEMO_NAME}/${each.path}` })), isDemo: true },
    dataset: { file: train, heldOut, isDemo: true },
    recipe: JSON.parse(await recipe.file.text()) as Record<string, unknown>,
  };
}
