/** What `npm start` does once the Node version is known to be good. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, isBuildFresh } from './build.mjs';
import { installPackages } from './install.mjs';
import { Plain, ROOT } from './run.mjs';
import { createStaticServer, listen } from './static-server.mjs';

const USAGE = `npm start -- [--port N] [--host ADDRESS] [--no-build]

  --port N         listen on this port (4173, or the next free one)
  --host ADDRESS   listen on this address (127.0.0.1)
  --no-build       serve dist/ as it is: install nothing, build nothing`;

const DEFAULT_PORT = 4173;
const PORTS_TRIED = 50;

/** @param {string[]} args */
export function parseStartArgs(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: { port: { type: 'string' }, host: { type: 'string' }, 'no-build': { type: 'boolean' }, help: { type: 'boolean' } },
    }));
  } catch (error) {
    throw new Plain(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
  if (values.port !== undefined && !(/^\d{1,5}$/.test(values.port) && Number(values.port) <= 65535)) {
    throw new Plain(`--port takes a number from 0 to 65535, not "${values.port}".`);
  }
  return {
    host: values.host ?? '127.0.0.1',
    port: values.port === undefined ? null : Number(values.port),
    isBuildWanted: values['no-build'] !== true,
    isHelpWanted: values.help === true,
  };
}

/**
 * @param {unknown} error of `listen`
 * @param {string} host
 * @param {number} port
 */
function listenError(error, host, port) {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return new Plain(`Port ${port} on ${host} is in use. Choose another with --port, or leave --port out.`);
  if (code === 'EACCES') return new Plain(`Port ${port} needs rights that this user does not have. Choose one from 1024 on with --port.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new Plain(`${host} is no address of this machine. Choose another with --host.`);
  return error;
}

/**
 * @param {string[]} args the command line after the script's name
 * @throws Plain for what the user can mend
 */
export async function start(args) {
  const { host, port, isBuildWanted, isHelpWanted } = parseStartArgs(args);
  if (isHelpWanted) {
    console.log(USAGE);
    return;
  }
  if (isBuildWanted) {
    await installPackages();
    if (!(await isBuildFresh())) await build();
  }
  const dist = join(ROOT, 'dist');
  if (!existsSync(join(dist, 'index.html'))) throw new Plain('dist/index.html does not exist. Run `npm start` without --no-build first.');

  const server = createStaticServer(dist);
  let bound;
  try {
    bound = await listen(server, { host, port: port ?? DEFAULT_PORT, tries: port === null ? PORTS_TRIED : 1 });
  } catch (error) {
    throw listenError(error, host, port ?? DEFAULT_PORT);
  }
  if (port === null && bound !== DEFAULT_PORT) console.log(`Port ${DEFAULT_PORT} is in use.`);
  const isAnyAddress = host === '0.0.0.0' || host === '::';
  const shown = isAnyAddress ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  console.log(`Loratory is at http://${shown}:${bound}/ (Ctrl+C ends it).`);
  if (isAnyAddress) console.log('From other machines WebGPU needs https: put a proxy with a certificate in front.');
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
