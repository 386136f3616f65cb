import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { groupDuplicates, NEAR_DUPLICATE_SIMILARITY } from '#data/duplicates.ts';

const groupsOf = async (texts: readonly (string | readonly string[])[]): Promise<number[]> => {
  return [...(await groupDuplicates(texts.length, (row) => [texts[row] ?? ''].flat()))];
};

/** Texts of words that are drawn as unevenly as words are. */
class Writer {
  readonly random: Random;
  readonly #vocabulary = Array.from({ length: 5000 }, (_, i) => `w${i.toString(36)}`);

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  words(count: number): string[] {
    return Array.from({ length: count }, () => this.#vocabulary[Math.floor(5000 * this.random.uniform() ** 3)]);
  }

  /** `words` with some edits: a word changed, left out or put in. */
  edited(words: readonly string[], edits: number): string[] {
    const out = [...words];
    for (let i = 0; i < edits; i++) {
      const at = this.random.below(out.length);
      out.splice(at, this.random.below(2), ...this.words(this.random.below(3)));
    }
    return out;
  }
}

/** Three-word shingles as texts: what the hashes stand for. */
const shinglesOf = (words: readonly string[]): Set<string> => new Set(words.slice(2).map((_, i) => words.slice(i, i + 3).join(' ')));

function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const shingle of a) if (b.has(shingle)) shared++;
  return shared / (a.size + b.size - shared);
}

describe('equal rows', () => {
  it('are equal whatever their case, spaces, punctuation and width', async () => {
    const rows = [
      'Where is my order?',
      'WHERE  is my\n order',
      'where is: my "order"...',
      'ｗｈｅｒｅ is my order',
      'Where is your order?',
    ];
    expect(await groupsOf(rows)).toEqual([0, 0, 0, 0, 4]);
  });

  it('of few words are alike only when they are equal', async () => {
    expect(await groupsOf(['yes', 'no', 'Yes.', 'order 12', 'order 13', 'no', ''])).toEqual([0, 1, 0, 3, 4, 1, 6]);
  });

  it('without a letter are compared by their signs', async () => {
    expect(await groupsOf(['+', '-', '+', '🙂', '🙁', '🙂'])).toEqual([0, 1, 0, 3, 4, 3]);
  });

  it('differ where their columns do', async () => {
    expect(
      await groupsOf([
        ['a b', 'c'],
        ['a', 'b c'],
        ['A b', 'c!'],
      ]),
    ).toEqual([0, 1, 0]);
  });
});

describe('near-duplicates', () => {
  it('are found in scripts that write without spaces', async () => {
    const text = '三个红色的碗请在星期五之前寄到上海的办公室谢谢你们的帮助';
    expect(await groupsOf([text, text.replace('三', '四'), '我从来没有收到我的订单现在它在哪里请告诉我什么时候会到'])).toEqual([0, 0, 2]);
  });

  it('are not made by what all rows share', async () => {
    const writer = new Writer(3);
    const instruction = writer.words(150).join(' ');
    const messages = Array.from({ length: 60 }, () => writer.words(20));
    const rows = [...messages, ['so', ...messages[7]]].map((message) => [instruction, message.join(' ')]);
    // The last row is near the eighth for what it says itself; of few rows nothing tells an instruction from a text that is much the same.
    expect(await groupsOf(rows)).toEqual([...messages.keys(), 7]);
    expect(await groupsOf(rows.slice(0, 10))).toEqual(new Array(10).fill(0));
  });

  it('are not made by a handful of templates', async () => {
    const writer = new Writer(4);
    const templates = Array.from({ length: 12 }, () => writer.words(40).join(' '));
    const rows = Array.from({ length: 600 }, (_, i) => `${writer.words(2).join(' ')} ${templates[i % 12]} ${writer.words(2).join(' ')}`);
    const groups = await groupsOf(rows);
    expect(rows.filter((_, i) => groups[i] !== i).length).toBeLessThan(6);
  });

  it('are found, and little else, on made rows', async () => {
    const writer = new Writer(7);
    const rows: { words: string[]; origin: number }[] = [];
    for (let origin = 0; origin < 250; origin++) {
      const words = writer.words(15 + writer.random.below(80));
      rows.push({ words, origin });
      for (let edits = 0; edits < 6; edits++) if (writer.random.below(2) === 0) rows.push({ words: writer.edited(words, edits), origin });
    }
    const groups = await groupsOf(rows.map(({ words }) => words.join(' ')));
    const sets = rows.map(({ words }) => shinglesOf(words));
    const pairs = { near: 0, nearFound: 0, joined: 0, ofOneOrigin: 0, least: 1 };
    for (let a = 0; a < rows.length; a++) {
      for (let b = 0; b < a; b++) {
        const value = similarity(sets[a], sets[b]);
        const isJoined = groups[a] === groups[b];
        if (value >= NEAR_DUPLICATE_SIMILARITY) {
          pairs.near++;
          if (isJoined) pairs.nearFound++;
        }
        if (!isJoined) continue;
        pairs.joined++;
        pairs.least = Math.min(pairs.least, value);
        if (rows[a].origin === rows[b].origin) pairs.ofOneOrigin++;
      }
    }
    // Measured: 1,065 pairs at the threshold or above, of which 3 are missed. 1,242 pairs are joined, all made from one row; the 180 below the
    // threshold are joined through a third row.
    expect(pairs.near).toBeGreaterThan(1000);
    expect(pairs.nearFound / pairs.near).toBeGreaterThan(0.99);
    expect(pairs.ofOneOrigin).toBe(pairs.joined);
    expect(pairs.nearFound / pairs.joined).toBeGreaterThan(0.8);
    expect(pairs.least).toBeGreaterThan(NEAR_DUPLICATE_SIMILARITY ** 3);
  });

  it('are the same on every call, and the first row stands for its group', async () => {
    const writer = new Writer(5);
    const base = writer.words(50);
    const rows = [writer.words(50), base, writer.edited(base, 1), writer.words(50), writer.edited(base, 1)].map((words) => words.join(' '));
    expect(await groupsOf(rows)).toEqual([0, 1, 1, 3, 1]);
    expect(await groupsOf(rows)).toEqual([0, 1, 1, 3, 1]);
  });

  it('takes time in proportion to the rows, and can be ended', async () => {
    const writer = new Writer(11);
    // One bucket of thousands: all rows are one text with other numbers in it, below the share that is taken for a template.
    const texts = Array.from({ length: 20_000 }, (_, i) => (i % 64 === 0 ? `${i} ${TEXT} ${i}` : writer.words(40).join(' ')));
    let turns = 0;
    const start = performance.now();
    const groups = await groupDuplicates(
      texts.length,
      (row) => [texts[row]],
      () => void turns++,
    );
    // 0.5 s on one core of two; a square of the rows would be minutes.
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(turns).toBeGreaterThan(texts.length / 256);
    expect(groups.filter((first) => first === 0)).toHaveLength(Math.ceil(20_000 / 64));
    await expect(
      groupDuplicates(
        10,
        () => ['a'],
        () => Promise.reject(new Error('ended')),
      ),
    ).rejects.toThrow('ended');
  });
});

const TEXT =
  'the parcel with your order left our warehouse this morning and should be at your door in two days unless the weather holds it up again on the way';
