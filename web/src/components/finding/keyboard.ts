// What a key means on the findings list.

export type Command = 'filter' | 'down' | 'up' | 'extendDown' | 'extendUp' | 'first' | 'last' | 'pageDown' | 'pageUp' | 'select' | 'range' | 'open' | 'decide' | 'help' | 'close';

/** What of a keyboard event matters. */
export interface Press {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Where the focus is: anywhere on the page, on the grid itself, or where keys write or have a meaning of their own. */
export type Focus = 'page' | 'grid' | 'own';

const anywhere: Record<string, Command> = { '/': 'filter', j: 'down', k: 'up', J: 'extendDown', K: 'extendUp', x: 'select', X: 'range', o: 'open', e: 'decide', '?': 'help', Escape: 'close' };
const onGrid: Record<string, Command> = { ArrowDown: 'down', ArrowUp: 'up', Home: 'first', End: 'last', PageDown: 'pageDown', PageUp: 'pageUp', Enter: 'open', ' ': 'select' };
const shifted: Partial<Record<string, Command>> = { ArrowDown: 'extendDown', ArrowUp: 'extendUp', ' ': 'range' };

/** The command of a key, or null when it is none. */
export function command(press: Press, focus: Focus): Command | null {
  if (focus === 'own' || press.ctrlKey || press.metaKey || press.altKey) return null;
  if (focus === 'grid') {
    const found = (press.shiftKey && shifted[press.key]) || onGrid[press.key];
    if (found) return found;
  }
  return anywhere[press.key] ?? null;
}

/** Where the focus is, from the element that has it. What is marked data-keys="list" belongs to the list, in a dialog too. */
export function focusOf(target: Element | null, grid: Element | null): Focus {
  if (!target) return 'page';
  if (target.closest('input:not([type="checkbox"]),textarea,select,[contenteditable="true"]')) return 'own';
  const closest = target.closest('[role="dialog"],[role="menu"],[role="listbox"],[data-keys="list"]');
  if (closest && !closest.matches('[data-keys="list"]')) return 'own';
  return grid !== null && grid === target ? 'grid' : 'page';
}
