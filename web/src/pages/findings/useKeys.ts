import { useEffect, useRef, type RefObject } from 'react';
import { command, focusOf, type Command } from '../../components/finding/keyboard';

/** Calls back with what a key means; the callback says whether it did something. */
export function useKeys(grid: RefObject<HTMLElement | null>, does: (what: Command) => boolean) {
  const latest = useRef(does);
  useEffect(() => {
    latest.current = does;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const what = command(event, focusOf(document.activeElement, grid.current));
      if (what !== null && latest.current(what)) event.preventDefault();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [grid]);
}
