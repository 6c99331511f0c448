// The coverage matrix: applications down, tests across.
import { gaps, tests, type CoverageRow, type Gap } from '../../api/coverage';

export interface MatrixRow {
  application: string; // "" for what belongs to none
  place: string; // organisation and business unit
  cells: Map<string, CoverageRow>; // by test
  worst: Gap;
  gaps: number;
}

/** What is missing: required and not done, not in time, or only failed. */
export function isGap(gap: string): boolean {
  return gap === 'failed' || gap === 'never' || gap === 'overdue';
}

/** One row for each application, by name; what belongs to none comes last. */
export function matrix(rows: CoverageRow[]): MatrixRow[] {
  const out = new Map<string, MatrixRow>();
  for (const cell of rows) {
    let row = out.get(cell.application);
    if (!row) {
      row = { application: cell.application, place: [cell.organisation, cell.businessunit].filter(Boolean).join(' / '), cells: new Map(), worst: 'not_required', gaps: 0 };
      out.set(cell.application, row);
    }
    row.cells.set(cell.test, cell);
    if (isGap(cell.gap)) row.gaps++;
    if (gaps.indexOf(cell.gap) < gaps.indexOf(row.worst)) row.worst = cell.gap;
  }
  return [...out.values()].sort((a, b) => Number(a.application === '') - Number(b.application === '') || a.application.localeCompare(b.application));
}

/** The rows of an application and with a gap; `gap` is one of them, or any for all that is missing. */
export function narrowed(rows: MatrixRow[], filter: { app?: string; gap?: string }): MatrixRow[] {
  return rows.filter(
    (row) => (filter.app === undefined || row.application === filter.app) && (filter.gap === undefined || [...row.cells.values()].some((cell) => fits(cell.gap, filter.gap))),
  );
}

export function fits(gap: string, wanted: string | undefined): boolean {
  return wanted === undefined || (wanted === 'any' ? isGap(gap) : gap === wanted);
}

/** The tests that anybody needs or does, in their order. */
export function columns(rows: CoverageRow[]): string[] {
  return tests.filter((test) => rows.some((row) => row.test === test && (row.required || row.streams > 0)));
}

export function gapsByApplication(rows: CoverageRow[]): Map<string, number> {
  return new Map(matrix(rows).map((row) => [row.application, row.gaps]));
}

export function countGaps(rows: CoverageRow[]): Record<Gap, number> {
  const out: Record<Gap, number> = { failed: 0, never: 0, overdue: 0, none: 0, not_required: 0 };
  for (const row of rows) out[row.gap]++;
  return out;
}
