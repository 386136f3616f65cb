/**
 * What must hold before anything else can run: the Node version. No dependencies, and only syntax and imports that an old Node
 * can read, so that it gets a sentence and not a stack.
 */

const OLDEST = [20, 19];

/**
 * Whether a Node of this version runs the project.
 * @param {string} version as in `process.versions.node`
 */
export function isNodeSupported(version) {
  const parts = version.split('.').map(Number);
  return parts[0] > OLDEST[0] || (parts[0] === OLDEST[0] && parts[1] >= OLDEST[1]);
}

/** Ends the process with a sentence where Node is too old. */
export function checkNode() {
  if (isNodeSupported(process.versions.node)) return;
  console.error(
    'Loratory needs Node ' +
      OLDEST.join('.') +
      ' or newer; this is Node ' +
      process.versions.node +
      '. Get a newer one from https://nodejs.org.',
  );
  process.exit(1);
}
