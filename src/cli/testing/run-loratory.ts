/** Runs bin/loratory.mjs as a user does, for tests. */
import { spawn } from 'node:child_process';
import { mkdirSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../../bin/loratory.mjs', import.meta.url));

export interface Finished {
  code: number | null;
  /** What ended it, where it did not end by itself. */
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Sent once when stderr matches, or at the moment when a file or folder of that path appears. */
  interrupt?: { when: RegExp | string; signal: NodeJS.Signals };
}

/** In src/cli/fixtures. Resolves when the command has ended, whatever its exit code. */
export function runLoratory(args: readonly string[], { env = {}, interrupt }: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd: FIXTURES, env: { ...process.env, ...env } });
    const finished: Finished = { code: null, signal: null, stdout: '', stderr: '' };
    let isSent = false;
    const send = () => {
      if (!interrupt || isSent) return;
      isSent = true;
      child.kill(interrupt.signal);
    };
    const path = typeof interrupt?.when === 'string' ? interrupt.when : null;
    if (path !== null) mkdirSync(dirname(path), { recursive: true });
    const watcher = path === null ? null : watch(dirname(path), (_, name) => (name === basename(path) ? send() : undefined));
    child.stdout.on('data', (bytes: Buffer) => (finished.stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => {
      finished.stderr += bytes.toString();
      if (interrupt?.when instanceof RegExp && interrupt.when.test(finished.stderr)) send();
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      watcher?.close();
      resolve({ ...finished, code, signal });
    });
  });
}

/** As `runLoratory`, killed so many milliseconds after its first step where it has not ended by then; `trainingMs`: from that step to the end. */
export function killLoratory(args: readonly string[], afterMs: number): Promise<Finished & { trainingMs: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd: FIXTURES, env: process.env });
    const finished: Finished = { code: null, signal: null, stdout: '', stderr: '' };
    let timer: NodeJS.Timeout | undefined;
    let startedAt = Infinity;
    child.stdout.on('data', (bytes: Buffer) => (finished.stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => {
      finished.stderr += bytes.toString();
      if (timer !== undefined || !finished.stderr.includes('training: ')) return;
      startedAt = performance.now();
      if (afterMs < Infinity) timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...finished, code, signal, trainingMs: performance.now() - startedAt });
    });
  });
}

/** What the command says on failure: its last line, without the name before it. */
export function errorLine({ stderr }: Finished): string {
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('loratory: ') ? line.slice('loratory: '.length) : '';
}
