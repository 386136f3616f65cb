/** The demo as it is shipped: what the tests expect of the page comes from the files themselves. */
import { readFileSync } from 'node:fs';

const read = (name: string): string => readFileSync(new URL(`../../public/demo/${name}`, import.meta.url), 'utf8');
const rows = (name: string): { message: string; ticket: string }[] =>
  read(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { message: string; ticket: string });

export const trainRows = rows('train.jsonl');
export const heldOutRows = rows('heldout.jsonl');
export const recipe = JSON.parse(read('recipe.json')) as { lora_r: number; lora_alpha: number; learning_rate: number; max_steps: number };
export const layers = (JSON.parse(read('config.json')) as { num_hidden_layers: number }).num_hidden_layers;
