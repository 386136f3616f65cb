import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { candidates, sampleToken } from '#engine/train/sample.ts';

interface Fixture {
  logits: number[];
  previous: number[];
  cases: {
    options: { temperature: number; top_k: number; top_p: number; repetition_penalty: number };
    order: string[];
    probabilities: number[];
  }[];
}

const fixture = JSON.parse(readFileSync(new URL('./fixtures/sampling.json', import.meta.url), 'utf8')) as Fixture;
const logits = Float32Array.from(fixture.logits);

describe('candidates', () => {
  for (const { options, order, probabilities } of fixture.cases) {
    const { temperature, top_k: topK, top_p: topP, repetition_penalty: repetitionPenalty } = options;
    it(`leaves what transformers' ${order.join(', ') || 'empty list of processors'} leaves: ${JSON.stringify(options)}`, () => {
      const found = candidates(logits, { temperature, topK, topP, repetitionPenalty }, fixture.previous);
      expect(found.ids).toEqual([...probabilities.keys()].filter((id) => probabilities[id] > 0));
      for (const [i, id] of found.ids.entries()) expect(Math.abs(found.probabilities[i] - probabilities[id])).toBeLessThan(1e-12);
    });
  }

  it('keeps all of equal logits when top-p lies past the last', () => {
    expect(candidates(new Float32Array(10), { temperature: 1, topP: 0.95 }).ids).toHaveLength(10);
    expect(candidates(new Float32Array(10), { temperature: 1, topP: 0.85 }).ids).toHaveLength(9);
  });

  it('leaves out a logit of minus infinity', () => {
    expect(candidates(Float32Array.from([0, -Infinity, 1]), { temperature: 1 }).ids).toEqual([0, 2]);
  });
});

describe('sampleToken', () => {
  it('takes the first of the highest logits at temperature 0', () => {
    expect(sampleToken(Float32Array.from([1, 3, 2, 3]), { temperature: 0, topK: 2 }, new Random(1))).toBe(1);
  });

  it('penalises what occurred when greedy as well', () => {
    const penalty = { temperature: 0, repetitionPenalty: 2 };
    expect(sampleToken(Float32Array.from([3, 2, 1]), penalty, new Random(1), [0, 0])).toBe(1);
    expect(sampleToken(Float32Array.from([-3, -2, -2.5]), penalty, new Random(1), [1])).toBe(2);
  });

  it('draws tokens as often as they are probable, the same for the same seed', () => {
    const options = { temperature: 1.5, topK: 12, topP: 0.9 };
    const { ids, probabilities } = candidates(logits, options);
    const draws = 20_000;
    const draw = (random: Random) => Array.from({ length: draws }, () => sampleToken(logits, options, random));
    const drawn = draw(new Random(3));
    expect(draw(new Random(3))).toEqual(drawn);
    expect(drawn.every((id) => ids.includes(id))).toBe(true);
    for (const [i, id] of ids.entries()) {
      const p = probabilities[i];
      const share = drawn.filter((other) => other === id).length / draws;
      // Four standard deviations of a share of this many draws.
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws));
    }
  });

  it('refuses logits that are not finite', () => {
    for (const broken of [NaN, Infinity, -Infinity]) {
      const logits = new Float32Array(4).fill(broken);
      expect(() => sampleToken(logits, { temperature: 1 }, new Random(1))).toThrow('a finite number was expected');
    }
  });
});
