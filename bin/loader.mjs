/**
 * Lets Node run the project's own sources: `node --import ./bin/loader.mjs program.ts`.
 * TypeScript comes from tsx, shaders from our own hooks, `#layer/...` from package.json.
 */
import { register as registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { register as registerTypeScript } from 'tsx/esm/api';

// tsx otherwise looks for a tsconfig.json from the working directory up, which may be another project's.
registerTypeScript({ tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)) });
registerHooks('./wgsl-hooks.mjs', import.meta.url);
