import { describe, expect, test } from 'vitest';
import { countCheck, countPlaywright, countVitest, total } from './results.mjs';

const vitest = (counts: Partial<Record<string, number>>, testResults: unknown[] = []) => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  ...counts,
  testResults,
});

describe('countVitest', () => {
  test('counts tests', () => {
    const report = vitest({ numPassedTests: 5, numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 }, [
      { status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] },
    ]);
    expect(countVitest(report, 1)).toEqual({ passed: 5, failed: 2, skipped: 2 });
    expect(countVitest(vitest({ numPassedTests: 5 }), 0)).toEqual({ passed: 5, failed: 0, skipped: 0 });
  });

  test('a file that could not be loaded, or whose hook failed, is a failure', () => {
    const files = [
      { status: 'failed', assertionResults: [] },
      { status: 'failed', assertionResults: [{ status: 'passed' }] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ];
    expect(countVitest(vitest({ numPassedTests: 2 }, files), 1).failed).toBe(2);
  });

  test('no report, no tests, or an exit code that no test explains is a failure', () => {
    expect(countVitest(null, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(countVitest(vitest({}), 0).failed).toBe(1);
    expect(countVitest(vitest({ numPassedTests: 3 }), 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
  });
});

describe('countPlaywright', () => {
  const report = (stats: object, errors: unknown[] = []) => ({
    stats: { expected: 0, unexpected: 0, flaky: 0, skipped: 0, ...stats },
    errors,
  });

  test('counts tests; one that passes only sometimes has failed', () => {
    expect(countPlaywright(report({ expected: 4, unexpected: 1, flaky: 2, skipped: 3 }), 1)).toEqual({ passed: 4, failed: 3, skipped: 3 });
  });

  test('no report, no tests, an error outside of tests or an unexplained exit code is a failure', () => {
    expect(countPlaywright(null, 0).failed).toBe(1);
    expect(countPlaywright(report({}), 0).failed).toBe(1);
    expect(countPlaywright(report({ expected: 2 }, [{}]), 1).failed).toBe(1);
    expect(countPlaywright(report({ expected: 2 }), 1).failed).toBe(1);
    expect(countPlaywright(report({ expected: 2 }), 0).failed).toBe(0);
  });
});

test('skipped tests count as failed only where nothing may be skipped', () => {
  const all = [countCheck(true), countCheck(false), { passed: 7, failed: 1, skipped: 2 }];
  expect(total(all, false)).toEqual({ passed: 8, failed: 2, skipped: 2 });
  expect(total(all, true)).toEqual({ passed: 8, failed: 4, skipped: 2 });
});
