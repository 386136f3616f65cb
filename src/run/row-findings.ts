/** What was found in a dataset, as one list, the worst first. Knows checks and reports, no rows. */
import { LISTED_ROWS, noRows, noteRow, type RowFinding } from '#data/findings.ts';
import type { RowChecks } from '#data/row-checks.ts';
import type { EndProblem, TokenEnds } from '#data/token-ends.ts';
import type { TokenizedRows, TokenizeReport } from '#data/tokenize.ts';
import type { DataSettings, Finding, FindingKind, Severity } from '#protocol/data.ts';

/** Under this OpenAI starts no job; from there to FEW_ROWS a style or a format can be learnt at best. */
const FEWEST_ROWS = 10;
const FEW_ROWS = 50;
/** A value that is in more of the rows than this leaves little to learn of the others. */
const LARGEST_SHARE = 0.9;
const FEWEST_OF_A_LABEL = 5;

const SEVERITIES: Record<FindingKind, Severity> = {
  'few-rows': 'warning',
  empty: 'warning',
  missing: 'warning',
  invalid: 'problem',
  'no-loss': 'problem',
  truncated: 'warning',
  merged: 'warning',
  'split-turns': 'info',
  'dropped-reasoning': 'warning',
  'exact-duplicate': 'warning',
  'near-duplicate': 'info',
  leak: 'warning',
  'empty-field': 'info',
  'empty-completion': 'problem',
  'label-imbalance': 'warning',
  'replacement-character': 'warning',
  mojibake: 'warning',
  'missing-beginning': 'warning',
  'doubled-beginning': 'problem',
  'missing-end': 'warning',
  'doubled-end': 'problem',
  'hidden-prompt': 'info',
  'chat-data-type': 'problem',
  'chat-missing-key': 'problem',
  'chat-unknown-key': 'warning',
  'chat-unknown-role': 'problem',
  'chat-missing-content': 'problem',
  'chat-no-assistant': 'problem',
  'chat-no-user': 'warning',
};
const ORDER: readonly Severity[] = ['problem', 'warning', 'info'];

export interface FoundIn {
  settings: DataSettings;
  rowCount: number;
  /** The sequences that are trained on, and those that are held out. */
  train: TokenizedRows;
  validation: TokenizedRows;
  /** The held-out rows are those of a file of their own. */
  hasHeldOutFile: boolean;
  checks: RowChecks;
  nearDuplicates: RowFinding;
  duplicateGroups: number;
  leaks: RowFinding;
  ends: TokenEnds;
  hiddenPrompt: string | null;
}

export function findingsOf(found: FoundIn): Finding[] {
  const { settings, rowCount, checks, leaks, hiddenPrompt } = found;
  const findings: Finding[] = [];
  const add = (kind: FindingKind, rows: RowFinding, detail: Finding['detail'] = {}, more: Partial<Finding> = {}): void => {
    if (rows.count > 0) findings.push({ kind, severity: SEVERITIES[kind], of: 'dataset', ...rows, detail, ...more });
  };
  if (rowCount < FEW_ROWS) {
    const severity = rowCount < FEWEST_ROWS ? 'problem' : 'warning';
    add('few-rows', { count: rowCount, rows: [] }, { rows: rowCount, expected: FEW_ROWS }, { severity });
  }
  addTokenized(found, add);
  add('exact-duplicate', checks.exactDuplicates);
  add('near-duplicate', without(found.nearDuplicates, checks.exactDuplicates), { groups: found.duplicateGroups });
  add('leak', leaks, {}, { of: 'held-out' });
  for (const { column, isMapped, found: rows } of checks.emptyFields) {
    add('empty-field', rows, { column }, { severity: isMapped ? 'warning' : 'info' });
  }
  add('empty-completion', checks.emptyCompletions);
  for (const { kind, example, found: rows } of checks.encodings) add(kind, rows, { example });
  for (const { kind, found: rows, unknown } of checks.chat) add(kind, rows, unknown.length === 0 ? {} : { names: unknown.join(', ') });
  for (const { column, values } of checks.labels) {
    const total = values.reduce((sum, { count }) => sum + count, 0);
    for (const { value, count } of values) {
      if (count > LARGEST_SHARE * total || count < FEWEST_OF_A_LABEL) {
        add('label-imbalance', { count, rows: [] }, { column, value, share: count / total });
      }
    }
  }
  for (const [kind, rows] of endProblems(found)) {
    add(kind, rows, {}, settings.loss === 'all' ? { severity: 'info' } : {});
  }
  if (hiddenPrompt !== null) add('hidden-prompt', { count: rowCount, rows: [] }, { text: hiddenPrompt });
  return findings.sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}

type Add = (kind: FindingKind, rows: RowFinding, detail?: Finding['detail'], more?: Partial<Finding>) => void;

/** What tokenising told of rows. */
function addTokenized({ settings, train, validation, hasHeldOutFile }: FoundIn, add: Add): void {
  const { maxLength } = settings;
  const longest = [...train.lengths, ...(hasHeldOutFile ? [] : validation.lengths)].reduce((most, length) => Math.max(most, length), 0);
  const kinds: readonly [FindingKind, (report: TokenizeReport) => RowFinding, Finding['detail']][] = [
    ['empty', (report) => report.empty, {}],
    ['missing', (report) => report.missing, {}],
    ['invalid', (report) => report.invalid, { reason: train.report.invalidReason ?? validation.report.invalidReason ?? '' }],
    ['no-loss', (report) => report.noLoss, { maxLength }],
    ['truncated', (report) => report.truncated, { maxLength, longest }],
    ['merged', (report) => report.merged, {}],
    ['split-turns', (report) => report.split, {}],
    ['dropped-reasoning', (report) => report.droppedReasoning, {}],
  ];
  for (const [kind, of, detail] of kinds) {
    const [trained, held] = [of(train.report), of(validation.report)];
    if (!hasHeldOutFile) add(kind, union(trained, held), detail);
    else {
      add(kind, trained, detail);
      add(kind, held, detail, { of: 'held-out' });
    }
  }
}

/** Rows by what is wrong at the ends of their sequences. Of joined rows nothing is expected there. */
function endProblems({ settings, train, validation, hasHeldOutFile, ends }: FoundIn): Map<EndProblem, RowFinding> {
  const found = new Map<EndProblem, number[]>();
  if (settings.strategy === 'join') return new Map();
  for (const { sequences, rows, lengths } of hasHeldOutFile ? [train] : [train, validation]) {
    for (const [i, sequence] of sequences.entries()) {
      for (const kind of ends.problems(sequence, lengths[i] > sequence.tokens.length)) {
        const known = found.get(kind) ?? [];
        if (known.at(-1) !== rows[i]) known.push(rows[i]);
        found.set(kind, known);
      }
    }
  }
  return new Map(Array.from(found, ([kind, rows]) => [kind, { count: rows.length, rows: first(rows) }]));
}

function first(rows: readonly number[]): number[] {
  return [...rows].sort((a, b) => a - b).slice(0, LISTED_ROWS);
}

/** Rows of two sets that have none in common. */
function union(a: RowFinding, b: RowFinding): RowFinding {
  return { count: a.count + b.count, rows: first([...a.rows, ...b.rows]) };
}

/** Rows of `all` that are not in `others`, as far as both list them; exact copies are among the near ones. */
function without(all: RowFinding, others: RowFinding): RowFinding {
  const listed = new Set(others.rows);
  const rest = noRows();
  for (const row of all.rows) if (!listed.has(row)) noteRow(rest, row);
  const isWhole = all.count === all.rows.length && others.count === others.rows.length;
  return isWhole ? rest : { ...rest, count: Math.max(rest.count, all.count - others.count) };
}
