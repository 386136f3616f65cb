/** Serves the files of one folder over HTTP, for `npm start` and the end-to-end tests. Knows nothing of the project. */
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream';

/** @type {Record<string, string>} */
const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.jsonl': 'application/jsonl',
  '.map': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.wgsl': 'text/wgsl; charset=utf-8',
  '.woff2': 'font/woff2',
};

// Cross-origin isolation gives the page SharedArrayBuffer, and with it threads of WebAssembly.
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Accept-Ranges': 'bytes',
};

/**
 * The bytes `[start, end)` that a Range header asks for. Several ranges, or a header that is not understood, mean the whole file.
 * @param {string | undefined} header
 * @param {number} sizeBytes
 * @returns {{ start: number, end: number } | 'whole' | 'unsatisfiable'}
 */
export function parseRange(header, sizeBytes) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'whole';
    return Number(last) === 0 || sizeBytes === 0 ? 'unsatisfiable' : { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= sizeBytes ? 'unsatisfiable' : { start, end };
}

/**
 * The path of a request inside the served folder, or null when it is no path that could lie there.
 * @param {string} url
 */
export function requestedPath(url) {
  let path;
  try {
    path = decodeURIComponent(url.split(/[?#]/, 1)[0] ?? '');
  } catch {
    return null;
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  // A backslash separates folders on Windows, and a colon names a drive or a stream there.
  if (parts.some((part) => part === '..' || /[\\:\0]/.test(part))) return null;
  return { parts, isFolder: path.endsWith('/') };
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {Record<string, string>} [headers]
 */
function refuse(response, status, headers = {}) {
  response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : `${status}\n`);
}

/**
 * @param {string} root
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(root, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, { Allow: 'GET, HEAD' });
  const requested = requestedPath(request.url ?? '/');
  if (requested === null) return refuse(response, 400);

  const realRoot = await realpath(root).catch(() => null);
  const path = join(root, ...requested.parts);
  const real = await realpath(path).catch(() => null);
  if (realRoot === null || real === null) return refuse(response, 404);
  // A link inside the folder may point out of it.
  if (real !== realRoot && !real.startsWith(realRoot + sep)) return refuse(response, 404);
  let file = real;
  let info = await stat(file);
  if (info.isDirectory()) {
    // One leading slash: two would name another host.
    if (!requested.isFolder) return refuse(response, 301, { Location: `/${requested.parts.map(encodeURIComponent).join('/')}/` });
    file = join(real, 'index.html');
    const index = await stat(file).catch(() => null);
    if (index === null) return refuse(response, 404);
    info = index;
  } else if (requested.isFolder) {
    return refuse(response, 404);
  }
  if (!info.isFile()) return refuse(response, 404);

  const etag = `"${info.size.toString(16)}-${Math.floor(info.mtimeMs).toString(16)}"`;
  // Vite puts a hash of the contents into the names below assets/.
  const cacheControl = requested.parts[0] === 'assets' ? 'public, max-age=31536000, immutable' : 'no-cache';
  const headers = {
    ...HEADERS,
    'Content-Type': TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream',
    'Cache-Control': cacheControl,
    'Last-Modified': info.mtime.toUTCString(),
    ETag: etag,
  };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers);
    return response.end();
  }
  const ifRange = request.headers['if-range'];
  const isRangeValid = ifRange === undefined || ifRange === etag || ifRange === info.mtime.toUTCString();
  const range = parseRange(isRangeValid ? request.headers.range : undefined, info.size);
  if (range === 'unsatisfiable') return refuse(response, 416, { 'Content-Range': `bytes */${info.size}` });
  const { start, end } = range === 'whole' ? { start: 0, end: info.size } : range;
  response.writeHead(range === 'whole' ? 200 : 206, {
    ...headers,
    'Content-Length': end - start,
    ...(range === 'whole' ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${info.size}` }),
  });
  if (request.method === 'HEAD' || end === start) return response.end();
  // A reader that goes away ends the stream; there is nobody left to tell.
  pipeline(createReadStream(file, { start, end: end - 1 }), response, () => {});
}

/**
 * A server over the files of `root`; it does not listen yet.
 * @param {string} root
 */
export function createStaticServer(root) {
  return createServer((request, response) => {
    answer(root, request, response).catch((error) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else refuse(response, 500);
    });
  });
}

/**
 * Listens on `port`, or with `tries` on the first free one from there on; port 0 lets the system choose.
 * @param {import('node:http').Server} server
 * @param {{ host: string, port: number, tries?: number }} options
 * @returns {Promise<number>} the port
 * @throws the system's error (`EADDRINUSE`, `EACCES`, ...) of the last port tried
 */
export async function listen(server, { host, port, tries = 1 }) {
  for (let attempt = 1; ; attempt++) {
    try {
      await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve(undefined);
        });
      });
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    } catch (error) {
      const isInUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isInUse || attempt >= tries || port >= 65535) throw error;
      port++;
    }
  }
}
