// What the address of the findings list says.
export type Tab = 'priority' | 'all';

export interface FindingsSearch {
  tab?: Tab; // priority if absent
  filter?: string;
  sort?: string;
  group?: string; // rule, root_cause, component, application, file
  columns?: string; // comma separated
  view?: string; // id of the saved view that it began with
  open?: string; // id of the finding in the panel
}

export function findingsSearch(search: Record<string, unknown>): FindingsSearch {
  const out: FindingsSearch = {};
  if (search.tab === 'all') out.tab = 'all';
  for (const name of ['filter', 'sort', 'group', 'columns', 'view', 'open'] as const) {
    const value = search[name];
    if (typeof value === 'string' && value !== '') out[name] = value;
    else if (typeof value === 'number' || typeof value === 'boolean') out[name] = String(value);
  }
  return out;
}
