/** The part of a forward recording that every use shares: weights by name, linears with their adapter. Knows no batch. */
import { invariant } from '#base/errors.ts';
import type { Forward } from '#engine/models/architecture.ts';
import type { Model } from '#engine/models/model.ts';
import { type LoraPair, linear } from '#engine/ops/linear/linear.ts';

export type WeightsForward = Pick<Forward, 'config' | 'matrix' | 'vector' | 'linear'>;

/** @param pairs LoRA pairs by module; empty for the base model. */
export function modelForward(model: Model, pairs: ReadonlyMap<string, LoraPair>): WeightsForward {
  const matrix: Forward['matrix'] = (name) => {
    const found = model.matrices.get(name);
    invariant(found, `${model.file}: matrix ${name} was not described`);
    return found;
  };
  const vector: Forward['vector'] = (name) => {
    const found = model.vectors.get(name);
    invariant(found, `${model.file}: vector ${name} was not described`);
    return found;
  };
  return {
    config: model.config,
    matrix,
    vector,
    linear: (r, module, x) => {
      const bias = model.vectors.get(`${module}.bias`) ?? null;
      const label = module.slice(module.lastIndexOf('.') + 1);
      return r.scope(label, () => linear(r, x, matrix(`${module}.weight`), pairs.get(module) ?? null, bias));
    },
  };
}

export function attentionShape({ config }: Model): { heads: number; kvHeads: number; headSize: number; scale: number } {
  const { heads, kvHeads, headSize } = config;
  return { heads, kvHeads, headSize, scale: 1 / Math.sqrt(headSize) };
}
