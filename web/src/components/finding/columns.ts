// The columns of the list: their order, widths, and by what they sort.
export interface Column {
  id: ColumnID;
  width: number; // px, at least
  grow?: number; // share of what is left
  sort?: string; // name of the sort of the API
  descends?: boolean; // the first click sorts downwards
}

export type ColumnID =
  | 'severity' | 'title' | 'state' | 'application' | 'service' | 'tool' | 'component' | 'ids' | 'class' | 'target' | 'owner' | 'first_seen' | 'last_seen' | 'since';

export const columns: Column[] = [
  { id: 'severity', width: 96, sort: 'severity', descends: true },
  { id: 'title', width: 260, grow: 9, sort: 'title' },
  { id: 'state', width: 124 },
  { id: 'application', width: 112, grow: 1 },
  { id: 'service', width: 110, grow: 1 },
  { id: 'tool', width: 108, grow: 1 },
  { id: 'component', width: 150, grow: 1 },
  { id: 'ids', width: 150, grow: 1 },
  { id: 'class', width: 104 },
  { id: 'target', width: 180, grow: 1 },
  { id: 'owner', width: 120, grow: 1 },
  { id: 'first_seen', width: 108, sort: 'first_seen', descends: true },
  { id: 'last_seen', width: 108, sort: 'last_seen', descends: true },
  { id: 'since', width: 108, sort: 'since', descends: true },
];

export const usual: ColumnID[] = ['severity', 'title', 'state', 'application', 'tool', 'first_seen'];

/** The columns that the address or a view names, in their order; the usual ones for none. The title is always there. */
export function columnsOf(names: string | undefined): Column[] {
  const wanted = new Set((names ?? '').split(','));
  const named = columns.filter((c) => wanted.has(c.id));
  if (named.length === 0) return columns.filter((c) => usual.includes(c.id));
  return columns.filter((c) => c.id === 'title' || wanted.has(c.id));
}

/** What the address says of columns: nothing when they are the usual ones. */
export function columnNames(ids: ColumnID[]): string | undefined {
  const chosen = columns.filter((c) => c.id === 'title' || ids.includes(c.id)).map((c) => c.id);
  return chosen.join() === columns.filter((c) => usual.includes(c.id)).map((c) => c.id).join() ? undefined : chosen.join();
}

/** What the address says of the sort after a click on a column: its way, the other way, the usual order. */
export function nextSort(column: Column, sort: string | undefined): string | undefined {
  if (!column.sort) return sort;
  const [first, second] = column.descends ? [`-${column.sort}`, column.sort] : [column.sort, `-${column.sort}`];
  if (column.sort === 'severity') return (sort ?? '-severity') === '-severity' ? 'severity' : undefined;
  return sort === first ? second : sort === second ? undefined : first;
}

/** How a column is sorted, in the words of aria-sort. */
export function sortedBy(column: Column, sort: string | undefined): 'ascending' | 'descending' | 'none' | undefined {
  if (!column.sort) return undefined;
  const by = sort || '-severity';
  return by === column.sort ? 'ascending' : by === `-${column.sort}` ? 'descending' : 'none';
}
