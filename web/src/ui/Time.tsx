import { Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { relative } from '../lib/time';
import { text } from '../text';

/** A time told relative to now; the exact one, ISO 8601 in UTC, on hover and focus. */
export function Time({ at }: { at: string | undefined }) {
  const now = useNow();
  if (!at) return <>–</>;
  const date = new Date(at);
  const exact = date.toISOString().replace('.000Z', 'Z');
  return (
    <Tooltip label={exact}>
      <time dateTime={exact}>{relative(date, now, text.shell.relative.now)}</time>
    </Tooltip>
  );
}

const listeners = new Set<(now: Date) => void>();
let timer = 0;

/** The time, renewed every half minute, by one clock for the whole page. */
function useNow(): Date {
  const [now, set] = useState(() => new Date());
  useEffect(() => {
    listeners.add(set);
    if (listeners.size === 1) {
      timer = window.setInterval(() => {
        const date = new Date();
        listeners.forEach((listener) => listener(date));
      }, 30_000);
    }
    return () => {
      listeners.delete(set);
      if (listeners.size === 0) window.clearInterval(timer);
    };
  }, []);
  return now;
}
