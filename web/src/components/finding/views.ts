// Saved views and the address of the list: a view is what the address says.
import type { SavedView, ViewBody } from '../../api/views';
import type { FindingsSearch } from '../../pages/findings/search';

/** The address that shows a view. */
export function searchOf(view: SavedView): FindingsSearch {
  const out: FindingsSearch = { view: view.id };
  if (view.tab === 'all') out.tab = 'all';
  if (view.filter) out.filter = view.filter;
  if (view.sort) out.sort = view.sort;
  if (view.group) out.group = view.group;
  if (view.columns.length > 0) out.columns = view.columns.join();
  return out;
}

/** The view that an address shows, under a name. */
export function bodyOf(search: FindingsSearch, name: string, scope: SavedView['scope'], application: string): ViewBody {
  return {
    name: name.trim(),
    scope,
    ...(scope === 'unit' && { application }),
    filter: search.filter ?? '',
    tab: search.tab ?? 'priority',
    sort: search.sort ?? '',
    group: search.group ?? '',
    columns: search.columns ? search.columns.split(',') : [],
  };
}

/** Whether the address shows something else than the view that it began with. */
export function isChanged(view: SavedView, search: FindingsSearch): boolean {
  const saved = searchOf(view);
  return (['tab', 'filter', 'sort', 'group', 'columns'] as const).some((name) => (saved[name] ?? '') !== (search[name] ?? ''));
}

/** Whether the address asks for nothing, so that the view to begin with may be shown. */
export function asksNothing(search: FindingsSearch): boolean {
  return Object.values(search).every((value) => value === undefined);
}

const key = 'sinew.findings.view';

/** The view that this browser begins with. */
export function firstView(storage: Pick<Storage, 'getItem'>): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null; // storage is not allowed
  }
}

export function setFirstView(storage: Pick<Storage, 'setItem' | 'removeItem'>, id: string | null) {
  try {
    if (id === null) storage.removeItem(key);
    else storage.setItem(key, id);
  } catch {
    // storage is not allowed: it begins with the plain list
  }
}
