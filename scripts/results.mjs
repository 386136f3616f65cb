/** Counts what the test runners report. A runner that failed never counts as none failed. */

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/**
 * A check without tests of its own: it holds or it does not.
 * @param {boolean} holds
 * @returns {Counts}
 */
export function countCheck(holds) {
  return { passed: holds ? 1 : 0, failed: holds ? 0 : 1, skipped: 0 };
}

/**
 * @param {Counts} counts
 * @param {number} exitCode of the runner
 * @returns {Counts} with one failure where the runner failed for something that is no test, or ran none
 */
function withRunner(counts, exitCode) {
  const ranNone = counts.passed + counts.failed + counts.skipped === 0;
  return counts.failed === 0 && (exitCode !== 0 || ranNone) ? { ...counts, failed: 1 } : counts;
}

/**
 * @param {unknown} report of Vitest's JSON reporter; null when there is none
 * @param {number} exitCode
 * @returns {Counts}
 */
export function countVitest(report, exitCode) {
  if (report === null) return countCheck(false);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } =
    /** @type {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
     *   testResults: { status: string, assertionResults: { status: string }[] }[] }} */ (report);
  // A file that cannot be loaded, or whose hooks fail, fails without a failed test.
  const failedFiles = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return withRunner(
    { passed: numPassedTests, failed: numFailedTests + failedFiles.length, skipped: numPendingTests + numTodoTests },
    exitCode,
  );
}

/**
 * @param {unknown} report of Playwright's JSON reporter; null when there is none
 * @param {number} exitCode
 * @returns {Counts}
 */
export function countPlaywright(report, exitCode) {
  if (report === null) return countCheck(false);
  const { stats, errors } =
    /** @type {{ stats: { expected: number, unexpected: number, flaky: number, skipped: number }, errors: unknown[] }} */ (report);
  // A test that passes only sometimes has failed.
  return withRunner({ passed: stats.expected, failed: stats.unexpected + stats.flaky + errors.length, skipped: stats.skipped }, exitCode);
}

/**
 * The sum of all tiers. Where nothing may be skipped, a skipped test has failed.
 * @param {Counts[]} all
 * @param {boolean} isSkippingFailure
 * @returns {Counts}
 */
export function total(all, isSkippingFailure) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of all) {
    sum.passed += passed;
    sum.failed += failed + (isSkippingFailure ? skipped : 0);
    sum.skipped += skipped;
  }
  return sum;
}
