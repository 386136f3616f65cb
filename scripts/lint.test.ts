import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './run.mjs';

// A project of its own with our rules: each file breaks one of them, or none.
const FILES: Record<string, string> = {
  'src/engine/train/fetching.ts': "export const answer = fetch('x');\n",
  'src/engine/train/global-fetching.ts': "export const answer = globalThis.fetch('x');\n",
  'src/engine/graph/document.ts': 'export const title = document.title;\n',
  'src/engine/graph/window.ts': 'export const width = window.innerWidth;\n',
  'src/engine/graph/database.ts': "export const open = indexedDB.open('x');\n",
  'src/engine/graph/navigator.ts': 'export const gpu = navigator.gpu;\n',
  'src/engine/graph/own-name.ts': 'export function title(document: { title: string }): string {\n  return document.title;\n}\n',
  'src/engine/gpu/good.ts': 'export const gpu = navigator.gpu;\n',
  'src/engine/gpu/agent.ts': 'export const agent = navigator.userAgent;\n',
  'src/engine/gpu/agent-by-global.ts': 'export const agent = globalThis.navigator.userAgent;\n',
  'src/storage/fetching.ts': "export const answer = fetch('x');\n",
  'src/base/any.ts': 'export const value: any = 1;\n',
  'src/base/floating.ts': 'async function work(): Promise<void> {}\nexport function start(): void {\n  work();\n}\n',
  'src/base/misused.ts':
    'export function start(items: number[]): void {\n  items.forEach(async () => {\n    await Promise.resolve();\n  });\n}\n',
  'src/base/awaiting.ts': 'export async function read(): Promise<number> {\n  const value = 1;\n  return await value;\n}\n',
  'src/base/long.ts': 'export const value = 1;\n'.padEnd(460, '\n'),
  'src/base/long.test.ts': 'export const value = 1;\n'.padEnd(460, '\n'),
};
let folder = '';
let exitCode: number | null = null;
const found = new Map<string, string[]>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loratory-lint-'));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) copyFileSync(join(ROOT, name), join(folder, name));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  const result = spawnSync(process.execPath, [join(ROOT, 'node_modules/oxlint/bin/oxlint'), '--format', 'json'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(result.stdout) as { diagnostics: { filename: string; code: string }[] };
  for (const { filename, code } of diagnostics) found.set(filename, [...(found.get(filename) ?? []), code]);
  exitCode = result.status;
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the rules of .oxlintrc.json', () => {
  test('a violation fails the run', () => expect(exitCode).toBe(1));

  test.each([
    ['src/engine/train/fetching.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/train/global-fetching.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/graph/document.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/graph/window.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/graph/database.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/graph/navigator.ts', 'eslint(no-restricted-globals)'],
    ['src/engine/gpu/agent.ts', 'eslint(no-restricted-properties)'],
    ['src/engine/gpu/agent-by-global.ts', 'eslint(no-restricted-properties)'],
    ['src/base/any.ts', 'typescript(no-explicit-any)'],
    ['src/base/floating.ts', 'typescript(no-floating-promises)'],
    ['src/base/misused.ts', 'typescript(no-misused-promises)'],
    ['src/base/awaiting.ts', 'typescript(await-thenable)'],
    ['src/base/long.ts', 'eslint(max-lines)'],
  ])('%s breaks %s', (path, rule) => {
    expect(found.get(path)).toContain(rule);
  });

  test.each(['src/engine/graph/own-name.ts', 'src/engine/gpu/good.ts', 'src/storage/fetching.ts', 'src/base/long.test.ts'])(
    '%s breaks none',
    (path) => {
      expect(found.get(path)).toBeUndefined();
    },
  );
});
