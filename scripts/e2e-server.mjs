/** Playwright's global setup: serves dist/ on a free port while the end-to-end tests run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Plain, ROOT } from './run.mjs';
import { createStaticServer, listen } from './static-server.mjs';

export default async function serveDist() {
  const dist = join(ROOT, 'dist');
  if (!existsSync(join(dist, 'index.html'))) throw new Plain('dist/index.html does not exist: run `npm run build` first.');
  const server = createStaticServer(dist);
  const port = await listen(server, { host: '127.0.0.1', port: 0 });
  // The configuration, read again by each worker, takes it from here.
  process.env.LORATORY_URL = `http://127.0.0.1:${port}/`;
  return async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
}
