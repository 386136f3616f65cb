import { describe, expect, test } from 'vitest';
import { holdsPackages } from './install.mjs';
import { isNodeSupported } from './preflight.mjs';
import { parseStartArgs } from './serve.mjs';

describe('holdsPackages', () => {
  const wanted = {
    '': { version: '0.1.0' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b-windows': { version: '2.0.0', integrity: 'sha512-b', optional: true },
  };

  test('optional packages of another system may be missing', () => {
    expect(holdsPackages(wanted, { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } })).toBe(true);
  });

  test.each([
    ['a missing package', {}],
    ['another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-z' } }],
    ['one too many', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' }, 'node_modules/c': { version: '1.0.0' } }],
  ])('%s asks for an install', (_, installed: Record<string, { version: string; integrity?: string }>) => {
    expect(holdsPackages(wanted, installed)).toBe(false);
  });
});

test('Node from 20.19 on will do', () => {
  for (const version of ['20.19.0', '20.20.2', '22.1.0', '24.0.0']) expect(isNodeSupported(version)).toBe(true);
  for (const version of ['20.18.3', '18.20.0', '16.0.0']) expect(isNodeSupported(version)).toBe(false);
});

test('the arguments of npm start', () => {
  expect(parseStartArgs([])).toEqual({ host: '127.0.0.1', port: null, isBuildWanted: true, isHelpWanted: false });
  expect(parseStartArgs(['--port', '0', '--host=::1', '--no-build'])).toMatchObject({ host: '::1', port: 0, isBuildWanted: false });
  for (const args of [['--port', 'x'], ['--port', '65536'], ['--port'], ['--prt', '1'], ['extra']]) {
    expect(() => parseStartArgs(args)).toThrow(/--port/);
  }
});
