// Which rows are selected. Ids, because rows come and go while one scrolls.

export interface Selection {
  ids: ReadonlySet<string>;
  anchor: string | null; // where a range begins
  all: boolean; // everything that fits the filter, seen or not
}

export const nothing: Selection = { ids: new Set(), anchor: null, all: false };

/** One row more, or less. */
export function toggled(s: Selection, id: string): Selection {
  const ids = new Set(s.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, anchor: id, all: false };
}

/** Everything from the anchor to a row as well, in the order of the list. */
export function extended(s: Selection, list: readonly string[], to: string): Selection {
  const from = s.anchor === null ? -1 : list.indexOf(s.anchor);
  const end = list.indexOf(to);
  if (from < 0 || end < 0) return { ids: new Set([...s.ids, to]), anchor: to, all: false };
  const [first, last] = from < end ? [from, end] : [end, from];
  return { ids: new Set([...s.ids, ...list.slice(first, last + 1)]), anchor: s.anchor, all: false };
}

/** Every row that is loaded; none if they all were selected. */
export function toggledAll(s: Selection, list: readonly string[]): Selection {
  return isEvery(s, list) ? nothing : { ids: new Set(list), anchor: null, all: false };
}

export function isEvery(s: Selection, list: readonly string[]): boolean {
  return list.length > 0 && list.every((id) => s.ids.has(id));
}

/** Everything that fits the filter. */
export function everything(s: Selection): Selection {
  return { ...s, all: true };
}
