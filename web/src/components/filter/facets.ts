// The facets beside the list: which values a field has, and how many findings each.
import { chosen } from '../../lib/filter';

/** Fields of the filter language, and the dimension of the counts that divides by them. */
export const facets = [
  { field: 'severity', dimension: 'severity' },
  { field: 'is', dimension: 'state' },
  { field: 'class', dimension: 'class' },
  { field: 'app', dimension: 'application' },
  { field: 'tool', dimension: 'tool' },
  { field: 'target', dimension: 'target' },
] as const;

export type FacetField = (typeof facets)[number]['field'];

const orders: Record<string, string[]> = {
  severity: ['critical', 'high', 'medium', 'low', 'info'],
  is: ['open', 'triaged', 'in_progress', 'not_observed', 'scope_lost', 'accepted', 'false_positive', 'fixed', 'gone'],
};

/** A value of a facet: as it is counted, and as the filter language asks for it. */
export interface FacetValue {
  value: string;
  asked: string;
  count: number;
  chosen: boolean;
}

// In the language is:open is everything that has to be dealt with; the state of that
// name, nobody decided anything yet, is asked for by another word. No name is none.
const words: Partial<Record<string, Record<string, string>>> = { is: { open: 'untriaged' }, app: { '': 'none' } };

/** The values that have findings or are chosen: in their own order, else the most frequent first. */
export function facetValues(field: FacetField, counts: Record<string, number> | undefined, filter: string): FacetValue[] {
  const word = (value: string) => words[field]?.[value] ?? value;
  const asked = chosen(filter, field);
  const out: FacetValue[] = Object.entries(counts ?? {})
    .filter(([value, count]) => count > 0 || asked.has(word(value)))
    .map(([value, count]) => ({ value, asked: word(value), count, chosen: asked.has(word(value)) }));
  for (const value of asked) {
    const plain = !value.includes('*') && !(field === 'is' && value === 'open') && !(field === 'is' && value === 'closed');
    if (plain && !out.some((v) => v.asked === value)) out.push({ value, asked: value, count: 0, chosen: true });
  }
  const order = orders[field];
  const rank = (v: FacetValue) => (order ? order.indexOf(v.value) : -v.count);
  return out.sort((a, b) => rank(a) - rank(b) || a.value.localeCompare(b.value));
}
