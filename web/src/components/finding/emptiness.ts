// Why a list of findings is empty. Each reason has its own face and next step, for
// nothing is as easily taken for good news as an empty list.
import type { CoverageRow } from '../../api/coverage';

export type Emptiness =
  | { kind: 'denied' }
  | { kind: 'unscanned' }
  | { kind: 'broken'; places: string[] }
  | { kind: 'narrow'; others: number }
  | { kind: 'calm'; others: number }
  | { kind: 'covered'; streams: number };

/** What is known when the list turned out empty. */
export interface Known {
  mayRead: boolean; // some role somewhere
  filter: string; // what the person asked for, without what the tab adds
  priority: boolean; // the tab adds something
  others: number; // findings that the reader may see, whatever the filter
  coverage: readonly Pick<CoverageRow, 'application' | 'test' | 'gap' | 'streams'>[];
}

const named = 3;

/** The reason, the first that holds. */
export function emptinessOf(known: Known): Emptiness {
  if (!known.mayRead) return { kind: 'denied' };
  const streams = known.coverage.reduce((sum, row) => sum + row.streams, 0);
  if (known.others === 0 && streams === 0) return { kind: 'unscanned' };
  if (known.filter.trim() !== '' && known.others > 0) return { kind: 'narrow', others: known.others };
  const failing = known.coverage.filter((row) => row.gap === 'failed' || (row.gap === 'overdue' && row.streams > 0));
  if (failing.length > 0) return { kind: 'broken', places: failing.slice(0, named).map((row) => [row.application, row.test].filter(Boolean).join(' ')) };
  if (known.priority && known.others > 0) return { kind: 'calm', others: known.others };
  return { kind: 'covered', streams };
}
