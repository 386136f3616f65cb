/** The adapter as one folder in a zip: PEFT's two files and a model card. Pure but for the library that packs. */
import type { Zippable } from 'fflate';
import type { EvaluationMetrics, NamedBytes } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';

/** What a model card tells. No row, no name of a file and no text of a template is in it. */
export interface CardFacts {
  base: { name: string; architecture: string; parameterCount: number };
  recipe: Recipe;
  /** Steps of the adapter, and of the run that it comes from. */
  step: number;
  steps: number | null;
  data: { rows: number | null; heldOutRows: number | null; medianTokens: number | null; maxTokens: number | null };
  lastLossNats: number | null;
  last: EvaluationMetrics | null;
  best: EvaluationMetrics | null;
}

/** A name for the folder: of the model, without what a path cannot hold. */
export function folderName(model: string): string {
  const name = model
    .replace(/\.gguf$/i, '')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return `${name === '' ? 'model' : name}-lora`;
}

/** Fields that may say what a user's data is, or where it lies. */
const PRIVATE = new Set<keyof Recipe>(['version', 'model', 'data_files', 'mapping', 'joiner', 'stratify_by']);

/** README.md in the hub's form: YAML metadata, then what the adapter is and how it was made. */
export function modelCard(facts: CardFacts): string {
  const { base, recipe, step, steps, data, lastLossNats, last, best } = facts;
  const number = (value: number, digits = 4): string => String(Number(value.toPrecision(digits)));
  const row = (name: string, value: string | number | null): string[] =>
    value === null ? [] : [`| ${cell(name)} | ${cell(String(value))} |`];
  const isHubId = /^[\w.-]+\/[\w.-]+$/.test(base.name);
  const measured = (what: string, evaluation: EvaluationMetrics | null): string[] =>
    evaluation === null
      ? []
      : row(
          what,
          `loss ${number(evaluation.lossNats)}, perplexity ${number(Math.exp(evaluation.lossNats))}, token accuracy ${number(100 * evaluation.accuracy, 3)} % (step ${evaluation.step}, ${evaluation.rows} rows)`,
        );
  const settings = Object.entries(recipe).filter(([field, value]) => !PRIVATE.has(field as keyof Recipe) && value !== null);
  return [
    '---',
    'library_name: peft',
    'pipeline_tag: text-generation',
    ...(isHubId ? [`base_model: ${base.name}`, 'tags:', `  - base_model:adapter:${base.name}`] : ['tags:']),
    '  - lora',
    '---',
    '',
    `# LoRA adapter for ${plain(base.name)}`,
    '',
    'Made with Loratory, in a browser. The adapter belongs to this base alone.',
    '',
    '| Base | |',
    '|---|---|',
    ...row('Model', base.name),
    ...row('Architecture', base.architecture),
    ...row('Parameters', base.parameterCount),
    '',
    '| Data | |',
    '|---|---|',
    ...row('Rows trained on', data.rows),
    ...row('Rows held out', data.heldOutRows),
    ...row('Tokens of a row, median', data.medianTokens),
    ...row('Tokens of a row, most', data.maxTokens),
    ...row('Loss on', recipe.loss_on === 'answer' ? 'the answer' : 'every token'),
    '',
    '| Result | |',
    '|---|---|',
    ...row('Steps', steps === null || steps === step ? step : `${step} of ${steps}`),
    ...row('Training loss, last step', lastLossNats === null ? null : number(lastLossNats)),
    ...measured('Held-out rows, last', last),
    ...measured('Held-out rows, best', best),
    '',
    'Losses are means in nats per token.',
    '',
    '| Recipe | |',
    '|---|---|',
    ...settings.flatMap(([field, value]) => row(`\`${field}\``, Array.isArray(value) ? value.join(', ') : String(value))),
    '',
  ].join('\n');
}

/** A pipe ends a cell, a line break a row. */
function cell(value: string): string {
  return plain(value).replaceAll('|', '\\|');
}

function plain(value: string): string {
  return value.replace(/\s+/g, ' ').trim();
}

/** One zip with one folder. The weights are stored as they are: random digits do not pack. */
export async function zipFolder(folder: string, files: readonly NamedBytes[]): Promise<Uint8Array> {
  // The library's asynchronous way starts workers out of a blob, which the page's policy refuses.
  const { zipSync } = await import('fflate');
  const entries: Zippable = Object.fromEntries(
    files.map(({ path, bytes }) => [`${folder}/${path}`, [bytes, { level: path.endsWith('.safetensors') ? 0 : 6 }]]),
  );
  return zipSync(entries);
}
