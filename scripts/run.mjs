/** Child processes for the scripts: one way to run a command, and a plain error for what a person can mend. */
import { spawn, spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder, whatever the working directory. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Whether a module is the program that Node was started with; symbolic links in the path make no difference.
 * @param {string} moduleUrl its import.meta.url
 */
export function isMain(moduleUrl) {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === realpathSync(fileURLToPath(moduleUrl));
}

/** An error whose message is a sentence for the user; scripts print it without a stack. */
export class Plain extends Error {}

/** @type {import('node:child_process').ChildProcess | null} */
let running = null;

/**
 * Runs a command with its output passed through and gives its exit code; 127 when it cannot be started.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, shell?: boolean, cwd?: string }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env = process.env, shell = false, cwd = ROOT } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'inherit', 'inherit'] });
    running = child;
    child.on('error', (error) => {
      running = null;
      console.error(`${command} could not be started: ${error.message}`);
      resolve(127);
    });
    child.on('close', (code) => {
      running = null;
      resolve(code ?? 1);
    });
  });
}

/** Ends the command that `run` is waiting for, if any. */
export function stopRunning() {
  running?.kill('SIGTERM');
}

/**
 * Runs one of the installed packages' JavaScript programs.
 * @param {string} program its path inside node_modules
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function runPackage(program, args, env) {
  return run(process.execPath, [join(ROOT, 'node_modules', program), ...args], { env });
}

/**
 * What a short command prints, or null when it fails or does not exist.
 * @param {string} command
 * @param {string[]} args
 */
export function output(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 });
  return result.status === 0 ? result.stdout : null;
}

/**
 * Runs a script's main function; a Plain error becomes one sentence on stderr, any other keeps its stack.
 * @param {() => Promise<void>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Plain ? error.message : error);
    process.exitCode = 1;
  }
}
