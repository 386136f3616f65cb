import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { checkImport, checkPlace, checkTree, importsOf } from './layers.mjs';

describe('checkImport', () => {
  test.each([
    ['src/formats/gguf.ts', '#base/errors.ts'],
    ['src/formats/gguf.ts', './cursor.ts'],
    ['src/base/bytes.ts', '#base/errors.ts'],
    ['src/engine/ops/rmsnorm/rmsnorm.ts', '../linear/linear.ts'],
    ['src/engine/ops/rmsnorm/rmsnorm.ts', './rmsnorm.wgsl?raw'],
    ['src/engine/ops/rmsnorm/rmsnorm.ts', '#engine/graph/graph.ts'],
    ['src/engine/methods/lora.ts', '#engine/models/llama.ts'],
    ['src/engine/train/trainer.ts', '#engine/methods/lora.ts'],
    ['src/engine/engine.ts', '#engine/train/trainer.ts'],
    ['src/storage/node.ts', 'node:fs/promises'],
    ['src/studio/App.tsx', '@mantine/core'],
    ['src/studio/App.tsx', '#protocol/calls.ts'],
    ['src/studio/App.tsx', '#recipe/schema.ts'],
    ['src/studio/pages/Train.tsx', '../App.tsx'],
    ['src/cli/main.ts', '#protocol/calls.ts'],
    ['workers/trainer.ts', '#run/session.ts'],
    ['src/run/session.ts', '#protocol/calls.ts'],
  ])('%s may import %s', (from, specifier) => {
    expect(checkImport(from, specifier)).toBeNull();
  });

  test.each([
    ['src/base/bytes.ts', '#formats/gguf.ts', 'order'],
    ['src/formats/gguf.ts', '#engine/gpu/device.ts', 'order'],
    ['src/engine/train/trainer.ts', '#storage/hub.ts', 'order'],
    ['src/protocol/calls.ts', '#run/session.ts', 'order'],
    ['src/protocol/calls.ts', '#studio/App.tsx', 'order'],
    ['src/protocol/calls.ts', '#cli/main.ts', 'order'],
    ['src/studio/App.tsx', '#engine/train/trainer.ts', 'order'],
    ['src/studio/App.tsx', '#formats/gguf.ts', 'order'],
    ['src/studio/App.tsx', '#run/session.ts', 'order'],
    ['src/cli/main.ts', '#studio/App.tsx', 'order'],
    ['workers/trainer.ts', '#cli/main.ts', 'order'],
    ['src/engine/gpu/device.ts', '#engine/graph/graph.ts', 'inside the engine'],
    ['src/engine/graph/graph.ts', '../ops/linear/linear.ts', 'inside the engine'],
    ['src/engine/ops/linear/linear.ts', '#engine/methods/lora.ts', 'inside the engine'],
    ['src/engine/models/llama.ts', '#engine/methods/lora.ts', 'inside the engine'],
    ['src/engine/models/llama.ts', '#engine/train/trainer.ts', 'inside the engine'],
    ['src/engine/train/trainer.ts', '../engine.ts', 'inside the engine'],
    ['src/formats/gguf.ts', '../base/errors.ts', 'relative'],
    ['src/formats/gguf.ts', '../../scripts/run.mjs', 'relative'],
    ['src/formats/gguf.ts', '../../bench/step.ts', 'relative'],
    ['src/formats/gguf.ts', '../../e2e/page.ts', 'relative'],
    ['src/formats/gguf.ts', '../../reference/fixture.json', 'relative'],
    ['src/cli/main.ts', '../../workers/trainer.ts', 'relative'],
    ['workers/trainer.ts', '../src/run/session.ts', 'relative'],
    ['src/studio/App.tsx', '#protocol/../engine/train/trainer.ts', '..'],
    ['src/formats/gguf.ts', './cursor', 'extension'],
    ['src/formats/gguf.ts', '#base/errors', 'extension'],
    ['src/formats/gguf.ts', '/src/base/errors.ts', 'absolute'],
  ])('%s may not import %s', (from, specifier, problem) => {
    expect(checkImport(from, specifier)).toContain(problem);
  });
});

test('checkPlace asks for every folder to have its place in the order', () => {
  expect(checkPlace('src/formats/gguf.ts')).toBeNull();
  expect(checkPlace('src/engine/ops/linear/linear.ts')).toBeNull();
  expect(checkPlace('src/env.d.ts')).toBeNull();
  expect(checkPlace('workers/trainer.ts')).toBeNull();
  expect(checkPlace('src/main.ts')).toContain('no layer');
  expect(checkPlace('src/helpers/strings.ts')).toContain('src/helpers is not in the order');
  expect(checkPlace('src/engine/kernels/linear.ts')).toContain('src/engine/kernels is not in the order');
});

test('importsOf finds every way to name a module, and nothing in comments and strings', () => {
  const text = `import type { A } from '#a/a.ts';
import './b.ts';
export { c } from './c.ts';
export * from './d.ts';
const e = await import('#e/e.ts');
type F = import('#f/f.ts').F;
// import './no.ts'
const s = "import './no.ts'";
export { s };
`;
  expect(importsOf('x.ts', text)).toEqual([
    { specifier: '#a/a.ts', line: 1 },
    { specifier: './b.ts', line: 2 },
    { specifier: './c.ts', line: 3 },
    { specifier: './d.ts', line: 4 },
    { specifier: '#e/e.ts', line: 5 },
    { specifier: '#f/f.ts', line: 6 },
  ]);
});

describe('checkTree', () => {
  let root = '';
  afterEach(() => rmSync(root, { recursive: true }));

  function tree(files: Record<string, string>): string {
    root = mkdtempSync(join(tmpdir(), 'loratory-layers-'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return root;
  }

  test('names file, line and import of each violation', async () => {
    const problems = await checkTree(
      tree({
        'src/base/errors.ts': 'export const good = 1;\n',
        'src/formats/gguf.ts': "import { good } from '#base/errors.ts';\n\nimport { run } from '#run/session.ts';\nexport { good, run };\n",
        'src/studio/App.tsx': "export const App = () => <p>{import('#engine/train/trainer.ts').then(String)}</p>;\n",
        'workers/trainer.ts': "import '../src/base/errors.ts';\n",
      }),
    );
    expect(problems).toHaveLength(3);
    expect(problems[0]).toMatch(/^src\/formats\/gguf\.ts:3: '#run\/session\.ts' goes against the order/);
    expect(problems[1]).toMatch(/^src\/studio\/App\.tsx:1: '#engine\/train\/trainer\.ts' goes against the order/);
    expect(problems[2]).toMatch(/^workers\/trainer\.ts:1: /);
  });

  test('a file that cannot be parsed is a problem, not a crash', async () => {
    expect(await checkTree(tree({ 'src/base/a.ts': 'const = ;' }))).toEqual([expect.stringMatching(/^src\/base\/a\.ts: /)]);
  });
});
