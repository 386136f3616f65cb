/** Cells of a CSV file as Python's `str.format` writes them after pandas has typed whole columns. Knows cells, no files. */
import { pythonFloat, pythonRepr } from '#data/python-text.ts';
import { columnsOf, type Row, type ValueText } from '#data/rows.ts';

type CellKind = 'integer' | 'float' | 'boolean' | 'text';

/** Cells that pandas takes for a missing value. @source pandas 3.1 pandas/_libs/parsers.pyx (STR_NA_VALUES) */
const MISSING = new Set(
  [
    '',
    '#N/A',
    '#N/A N/A',
    '#NA',
    '-1.#IND',
    '-1.#QNAN',
    '-NaN',
    '-nan',
    '1.#IND',
    '1.#QNAN',
    '<NA>',
    'N/A',
    'NA',
    'NULL',
    'NaN',
    'None',
  ].concat(['n/a', 'nan', 'null']),
);
const INTEGER = /^[ \t]*[+-]?\d+[ \t]*$/;
const FLOAT = /^[ \t]*[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf(?:inity)?)[ \t]*$/i;
const BOOLEAN = /^(?:true|false|TRUE|FALSE|True|False)$/;

/**
 * The text of cells as Olive's templates show them: a column of whole numbers without their zeros in front, one with fractions or
 * missing cells as fractions (`40` is `40.0`), `true` as `True`, a missing cell (empty, NA, null, ...) as `None`.
 * @source datasets 5.2 packaged_modules/csv/csv.py, pandas 3.1 read_csv
 */
export function csvText(rows: readonly Row[]): ValueText {
  const kinds = new Map(columnsOf(rows).map((column) => [column, cellKind(rows, column)]));
  return (value, column) => {
    if (typeof value !== 'string' || MISSING.has(value)) return 'None';
    switch (kinds.get(column)) {
      case 'integer':
        return String(BigInt(value.trim().replace(/^\+/, '')));
      case 'float':
        return /inf/i.test(value) ? pythonFloat(value.includes('-') ? -Infinity : Infinity) : pythonFloat(Number(value));
      case 'boolean':
        return pythonRepr(value.toLowerCase() === 'true');
      default:
        return value;
    }
  };
}

function cellKind(rows: readonly Row[], column: string): CellKind {
  const cells = rows.map((row) => row[column]);
  const present = cells.filter((cell): cell is string => typeof cell === 'string' && !MISSING.has(cell));
  if (present.length === 0) return 'text';
  if (present.every((cell) => INTEGER.test(cell) && isInt64(cell))) return present.length === cells.length ? 'integer' : 'float';
  if (present.every((cell) => FLOAT.test(cell))) return present.some((cell) => INTEGER.test(cell) && !isInt64(cell)) ? 'text' : 'float';
  return present.every((cell) => BOOLEAN.test(cell)) ? 'boolean' : 'text';
}

function isInt64(cell: string): boolean {
  const value = BigInt(cell.trim().replace(/^\+/, ''));
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}
