import { Checkbox, Loader } from '@mantine/core';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useState } from 'react';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';
import classes from './FindingCards.module.css';
import type { Rows } from './FindingGrid';
import { locationOf } from './location';
import type { Selection } from './selection';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';

/** Findings on a narrow screen: one card each, scrolled with the page. */
export function FindingCards({ list, selection, selectable, onOpen, onToggle }: { list: Rows; selection: Selection; selectable: boolean; onOpen: (id: string) => void; onToggle: (id: string, range: boolean) => void }) {
  const words = text.findings;
  const { rows, hasMore, loadMore, loadingMore, error } = list;
  // Where the list begins on the page, which changes with what is above it.
  const [margin, setMargin] = useState(0);
  const top = useCallback((ul: HTMLUListElement | null) => {
    if (!ul) return;
    const watch = new ResizeObserver(() => setMargin(Math.round(ul.getBoundingClientRect().top + window.scrollY)));
    watch.observe(document.body);
    return () => watch.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({ count: rows.length, estimateSize: () => 112, overscan: 8, scrollMargin: margin, getItemKey: (i) => rows[i]?.id ?? i });
  const lastInSight = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (hasMore && !loadingMore && error === null && lastInSight >= rows.length - 20) loadMore();
  }, [hasMore, loadingMore, error, lastInSight, rows.length, loadMore]);
  return (
    <>
      <ul ref={top} className={classes.list} aria-label={words.list.label} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const f = rows[item.index]!;
          const selected = selection.all || selection.ids.has(f.id);
          return (
            <li key={f.id} ref={virtual.measureElement} data-index={item.index} aria-setsize={list.total ?? -1} aria-posinset={item.index + 1} className={classes.item} data-selected={selected || undefined} style={{ transform: `translateY(${item.start - margin}px)` }}>
              {selectable && <Checkbox className={classes.check} aria-label={words.list.select(f.title)} checked={selected} onChange={() => onToggle(f.id, false)} />}
              <a
                href={`/findings/${f.id}`}
                className={classes.card}
                onClick={(event) => {
                  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                  event.preventDefault();
                  onOpen(f.id);
                }}
              >
                <span className={classes.line}>
                  <SeverityMark severity={f.severity} />
                  <StateBadge state={f.state} />
                </span>
                <span className={classes.title}>{f.title}</span>
                <span className={classes.place}>{locationOf(f)}</span>
                <span className={classes.meta}>
                  {f.application ?? words.unassigned} · {f.tools?.join(', ') ?? f.tool} · <Time at={f.first_seen} />
                </span>
              </a>
            </li>
          );
        })}
      </ul>
      {loadingMore && <Loader size="sm" mx="auto" my="sm" aria-label={words.list.loading} />}
      {error !== null && <Fault error={error} retry={loadMore} />}
    </>
  );
}
