// What an import changed, as parts of one line, each with the filter that finds it.
import type { ImportInfo, Result } from '../../api/imports';
import { term, terms } from '../../lib/term';

export type Change = 'new' | 'reopened' | 'fixed' | 'not_observed' | 'scope_lost' | 'gone' | 'changed' | 'elsewhere' | 'unchanged';

export interface Part {
  change: Change;
  n: number;
  filter?: string; // finds these findings, as long as nothing later changed them
}

/** The open findings of the scan that an import is of. */
export function scanFilter(info: ImportInfo): string {
  return terms(scope(info), info.stream?.ref && term('ref', info.stream.ref), 'is:open');
}

/** What changed, the most important first. What is zero is left out. */
export function outcome(info: ImportInfo): Part[] {
  const result = info.result;
  if (!result) return [];
  const fixed = (result.fixed?.proven ?? 0) + (result.fixed?.declared ?? 0);
  // Findings carry the time of the scan that changed them, to the microsecond.
  const at = (field: string) => (info.at ? term(field, info.at, '=') : undefined);
  const found = (n: number | undefined, change: Change, ...conditions: (string | undefined)[]): Part => ({
    change,
    n: n ?? 0,
    filter: conditions.length > 0 && conditions.every(Boolean) && info.stream ? terms(scope(info), ...conditions) : undefined,
  });
  return [
    found(result.new, 'new', at('first')),
    found(result.reopened, 'reopened', 'is:reopened', at('since')),
    found(fixed, 'fixed', 'is:fixed', at('since')),
    found(result.not_observed, 'not_observed', 'is:not_observed', at('since')),
    found(result.scope_lost, 'scope_lost', 'is:scope_lost', at('since')),
    found(result.gone, 'gone', 'is:gone', at('since')),
    found(result.changed, 'changed'),
    found(result.elsewhere, 'elsewhere'),
    found(result.unchanged, 'unchanged'),
  ].filter((part) => part.n > 0);
}

/** Why missing findings were not closed, the most frequent first. */
export function reasons(result: Result | undefined): [string, number][] {
  return Object.entries(result?.missing ?? {}).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

function scope(info: ImportInfo): string {
  return info.stream ? terms(term('tool', info.stream.tool), term('target', info.stream.target), info.stream.source && term('source', info.stream.source)) : '';
}
