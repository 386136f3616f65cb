import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStaticServer, listen, parseRange, requestedPath } from './static-server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'loratory-server-'));
const root = join(folder, 'dist');
const server = createStaticServer(root);
let port = 0;

beforeAll(async () => {
  mkdirSync(join(root, 'assets'), { recursive: true });
  mkdirSync(join(root, 'demo', 'empty'), { recursive: true });
  writeFileSync(join(root, 'index.html'), '<!doctype html>page');
  writeFileSync(join(root, 'demo', 'index.html'), 'demo');
  writeFileSync(join(root, 'demo', 'a b%.txt'), 'odd name');
  writeFileSync(join(root, 'bytes.bin'), '0123456789');
  writeFileSync(join(root, 'nothing.bin'), '');
  for (const name of ['a.wasm', 'a.json', 'a.wgsl', 'assets/a-12345678.js', 'a.gguf']) writeFileSync(join(root, name), 'x');
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  symlinkSync(join(folder, 'secret.txt'), join(root, 'link.txt'));
  port = await listen(server, { host: '127.0.0.1', port: 0 });
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A request whose path is sent as it stands: fetch would tidy it up first. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

describe('static server', () => {
  test('serves a folder by its index.html, isolated from other origins', async () => {
    const { status, headers, body } = await ask('/?query');
    expect(status).toBe(200);
    expect(body).toBe('<!doctype html>page');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-length']).toBe('19');
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(headers['cross-origin-embedder-policy']).toBe('require-corp');
    expect((await ask('/demo/')).body).toBe('demo');
    expect((await ask('/demo/a%20b%25.txt')).body).toBe('odd name');
  });

  test.each([
    ['/a.wasm', 'application/wasm'],
    ['/a.json', 'application/json'],
    ['/a.wgsl', 'text/wgsl; charset=utf-8'],
    ['/assets/a-12345678.js', 'text/javascript; charset=utf-8'],
    ['/a.gguf', 'application/octet-stream'],
  ])('%s is %s', async (path, type) => {
    expect((await ask(path)).headers['content-type']).toBe(type);
  });

  test('only names with a hash are kept for good; others are asked for again and answered with 304', async () => {
    expect((await ask('/assets/a-12345678.js')).headers['cache-control']).toContain('immutable');
    const { headers } = await ask('/a.json');
    expect(headers['cache-control']).toBe('no-cache');
    const again = await ask('/a.json', { 'If-None-Match': headers.etag ?? '' });
    expect(again.status).toBe(304);
    expect(again.body).toBe('');
  });

  test('a folder without its slash is redirected on this host, however many slashes lead', async () => {
    for (const path of ['/demo', '//demo']) {
      const { status, headers } = await ask(path);
      expect(status).toBe(301);
      expect(headers.location).toBe('/demo/');
    }
  });

  test.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/demo/../../secret.txt',
    '/..%5csecret.txt',
    '/link.txt',
    '/a.json%00',
  ])('%s does not leave the folder', async (path) => {
    const { status, body } = await ask(path);
    expect([400, 404]).toContain(status);
    expect(body).not.toContain('secret');
  });

  test('what is not there is 404, a broken path 400, another method 405', async () => {
    for (const path of ['/none', '/demo/empty/', '/a.json/']) expect((await ask(path)).status).toBe(404);
    expect((await ask('/%zz')).status).toBe(400);
    expect((await ask('/', {}, 'POST')).status).toBe(405);
  });

  test('HEAD gives the headers alone', async () => {
    const { status, headers, body } = await ask('/bytes.bin', {}, 'HEAD');
    expect([status, headers['content-length'], body]).toEqual([200, '10', '']);
  });

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, '416\n', 'bytes */10'],
    ['bytes=-0', 416, '416\n', 'bytes */10'],
    ['bytes=4-2', 200, '0123456789', undefined],
    ['bytes=0-1,4-5', 200, '0123456789', undefined],
    ['lines=0-1', 200, '0123456789', undefined],
  ])('Range %s gives %i', async (range, status, body, contentRange) => {
    const answer = await ask('/bytes.bin', { Range: range });
    expect(answer).toMatchObject({ status, body });
    expect(answer.headers['content-range']).toBe(contentRange);
  });

  test('a range of another version of the file gives the whole file', async () => {
    const { headers } = await ask('/bytes.bin');
    expect((await ask('/bytes.bin', { Range: 'bytes=0-0', 'If-Range': headers.etag ?? '' })).body).toBe('0');
    expect((await ask('/bytes.bin', { Range: 'bytes=0-0', 'If-Range': '"other"' })).status).toBe(200);
  });

  test('an empty file is whole or no range at all', async () => {
    expect(await ask('/nothing.bin')).toMatchObject({ status: 200, body: '' });
    expect((await ask('/nothing.bin', { Range: 'bytes=0-' })).status).toBe(416);
  });
});

test('parseRange and requestedPath on what a client cannot easily send', () => {
  expect(parseRange(undefined, 10)).toBe('whole');
  expect(parseRange('bytes=-', 10)).toBe('whole');
  expect(requestedPath('/a//./b')).toEqual({ parts: ['a', 'b'], isFolder: false });
  expect(requestedPath('/c:/windows')).toBeNull();
});

describe('listen', () => {
  test('takes the next free port, or says that the one is in use', async () => {
    const first = createServer();
    const others: Server[] = [createServer(), createServer()];
    await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve));
    const taken = (first.address() as AddressInfo).port;
    const [second, third] = others as [Server, Server];
    const found = await listen(second, { host: '127.0.0.1', port: taken, tries: 20 });
    expect(found).toBeGreaterThan(taken);
    await expect(listen(third, { host: '127.0.0.1', port: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    first.close();
    second.close();
  });
});
