/** Runs bin/loratory.mjs as a user does, for tests. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../../bin/loratory.mjs', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Sent once when stderr matches. */
  interrupt?: { when: RegExp; signal: NodeJS.Signals };
}

/** In src/cli/fixtures. Resolves when the command has ended, whatever its exit code. */
export function runLoratory(args: readonly string[], { env = {}, interrupt }: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd: FIXTURES, env: { ...process.env, ...env } });
    const finished: Finished = { code: null, stdout: '', stderr: '' };
    let isSent = false;
    child.stdout.on('data', (bytes: Buffer) => (finished.stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => {
      finished.stderr += bytes.toString();
      if (!interrupt || isSent || !interrupt.when.test(finished.stderr)) return;
      isSent = true;
      child.kill(interrupt.signal);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...finished, code }));
  });
}

/** What the command says on failure: its last line, without the name before it. */
export function errorLine({ stderr }: Finished): string {
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('loratory: ') ? line.slice('loratory: '.length) : '';
}
