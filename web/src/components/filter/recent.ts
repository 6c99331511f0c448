// The filters that somebody used last in this browser.
const key = 'sinew.filters.recent';
const most = 8;

/** The newest first; nothing where storage is not allowed or holds something else. */
export function recentFilters(storage: Pick<Storage, 'getItem'>): string[] {
  try {
    const list: unknown = JSON.parse(storage.getItem(key) ?? '[]');
    return Array.isArray(list) ? list.filter((f): f is string => typeof f === 'string' && f.trim() !== '').slice(0, most) : [];
  } catch {
    return [];
  }
}

/** Remembers a filter that was used. */
export function rememberFilter(storage: Pick<Storage, 'getItem' | 'setItem'>, filter: string) {
  const used = filter.trim();
  if (used === '') return;
  try {
    storage.setItem(key, JSON.stringify([used, ...recentFilters(storage).filter((f) => f !== used)].slice(0, most)));
  } catch {
    // storage is full or not allowed: then there are no recent ones
  }
}
