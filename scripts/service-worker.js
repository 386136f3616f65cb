/**
 * Keeps the built page on the device, so that it works with no network after a first visit. BUILD is put in by scripts/vite-offline.mjs:
 * the files of this build, by paths relative to this one, and a name that changes with any of them.
 */
const { name, files } = BUILD;
const PREFIX = `loratory ${registration.scope} `;
const CACHE = PREFIX + name;

addEventListener('install', (event) => event.waitUntil(keepFiles()));
addEventListener('activate', (event) => event.waitUntil(forgetOthers()));

/** Files of the last build whose names carry their hash are taken over, the rest are fetched past the browser's own cache. */
async function keepFiles() {
  const cache = await caches.open(CACHE);
  for (const file of files) {
    const url = new URL(file.path, registration.scope).href;
    const kept = file.isHashed ? await caches.match(url) : undefined;
    const response = kept ?? (await fetch(url, { cache: 'no-cache' }));
    if (!response.ok) throw new Error(`${file.path}: the server answered ${response.status}`);
    await cache.put(url, response);
  }
}

// Only now are all tabs of the former build closed: a run in one of them still asked for its files.
async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((other) => other.startsWith(PREFIX) && other !== CACHE).map((other) => caches.delete(other)));
}

addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || request.headers.has('range') || !request.url.startsWith(registration.scope)) return;
  event.respondWith(request.mode === 'navigate' ? openPage(request) : openFile(request));
});

/** The newest page where there is a network; its files are fetched with it. */
async function openPage(request) {
  try {
    const response = await fetch(request);
    if (response.ok) return response;
  } catch {
    // No network: what is kept.
  }
  const kept = await caches.match(new URL('index.html', registration.scope).href);
  return kept ?? Response.error();
}

async function openFile(request) {
  const kept = await caches.match(request.url, { cacheName: CACHE });
  return kept ?? fetch(request);
}
