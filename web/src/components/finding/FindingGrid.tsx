import { Box, Checkbox, Loader, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconArrowsSort } from '@tabler/icons-react';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useMemo, useRef, type CSSProperties, type MouseEvent, type RefObject } from 'react';
import type { Finding } from '../../api/findings';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';
import { nextSort, sortedBy, type Column } from './columns';
import classes from './FindingGrid.module.css';
import { componentOf, locationOf } from './location';
import { isEvery, type Selection } from './selection';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';

export const rowHeight = 50;

export interface Rows {
  rows: Finding[];
  total: number | undefined;
  hasMore: boolean;
  loadMore: () => void;
  loadingMore: boolean;
  error: unknown;
}

/**
 * Findings as a grid of which only the rows in sight exist. The grid has the focus;
 * the row that it is on is told by aria-activedescendant, so that it is not lost
 * when rows go out of sight.
 */
export function FindingGrid({ list, columns, sort, onSort, selection, selectable, active, open, onOpen, onToggle, onToggleAll, grid, reveal }: {
  list: Rows;
  columns: Column[];
  sort: string | undefined;
  onSort: (sort: string | undefined) => void;
  selection: Selection;
  selectable: boolean;
  active: string | null;
  open: string | undefined;
  onOpen: (id: string) => void;
  onToggle: (id: string, range: boolean) => void;
  onToggleAll: () => void;
  grid: RefObject<HTMLDivElement | null>;
  reveal: number; // changes whenever the active row is to be brought into sight
}) {
  const words = text.findings;
  const { rows, hasMore, loadingMore, loadMore, error } = list;
  const activeIndex = useMemo(() => rows.findIndex((f) => f.id === active), [rows, active]);
  const virtual = useVirtualizer({
    count: rows.length + (hasMore ? 1 : 0),
    getScrollElement: () => grid.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    rangeExtractor: (range) => {
      const inSight = defaultRangeExtractor(range);
      return activeIndex < 0 || activeIndex >= range.count || inSight.includes(activeIndex) ? inSight : [...inSight, activeIndex].sort((a, b) => a - b);
    },
  });
  const items = virtual.getVirtualItems();
  const lastInSight = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (hasMore && !loadingMore && error === null && lastInSight >= rows.length - 30) loadMore();
  }, [hasMore, loadingMore, error, lastInSight, rows.length, loadMore]);

  const wanted = useRef(activeIndex);
  useEffect(() => {
    wanted.current = activeIndex;
  });
  useEffect(() => {
    if (reveal > 0 && wanted.current >= 0) virtual.scrollToIndex(wanted.current, { align: 'auto' });
  }, [reveal, virtual]);

  const shape = {
    '--columns': `${selectable ? '36px ' : ''}${columns.map((c) => (c.grow ? `minmax(${c.width}px, ${c.grow}fr)` : `${c.width}px`)).join(' ')}`,
    '--least': `${columns.reduce((sum, c) => sum + c.width, selectable ? 36 : 0) + 24}px`,
  } as CSSProperties;
  const someSelected = selection.ids.size > 0;
  return (
    <div
      ref={grid}
      className={classes.grid}
      style={shape}
      role="grid"
      tabIndex={0}
      aria-label={words.list.label}
      aria-multiselectable={selectable || undefined}
      aria-rowcount={(list.total ?? rows.length) + 1}
      aria-colcount={columns.length + (selectable ? 1 : 0)}
      aria-activedescendant={activeIndex >= 0 ? rowId(active!) : undefined}
    >
      <div role="rowgroup" className={classes.head}>
        <div role="row" aria-rowindex={1} className={classes.row}>
          {selectable && (
            <div role="columnheader" aria-label={words.list.selectColumn} className={classes.check}>
              <Checkbox
                size="xs"
                aria-label={words.list.selectLoaded}
                checked={isEvery(selection, rows.map((f) => f.id))}
                indeterminate={someSelected && !isEvery(selection, rows.map((f) => f.id))}
                onChange={onToggleAll}
              />
            </div>
          )}
          {columns.map((c) => {
            const sorted = sortedBy(c, sort);
            const Arrow = sorted === 'ascending' ? IconArrowUp : sorted === 'descending' ? IconArrowDown : IconArrowsSort;
            return (
              <div key={c.id} role="columnheader" aria-sort={sorted} className={classes.cell}>
                {sorted === undefined ? (
                  words.columns[c.id]
                ) : (
                  <UnstyledButton className={classes.sort} data-sorted={sorted !== 'none' || undefined} title={words.columns.sortBy(words.columns[c.id])} onClick={() => onSort(nextSort(c, sort))}>
                    {words.columns[c.id]}
                    <Arrow size={14} aria-hidden />
                  </UnstyledButton>
                )}
              </div>
            );
          })}
        </div>
      </div>
      <div role="rowgroup" className={classes.body} style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const f = rows[item.index];
          if (!f) {
            return (
              <div key="more" role="row" aria-rowindex={item.index + 2} className={classes.row} style={{ transform: `translateY(${item.start}px)`, position: 'absolute', height: rowHeight }}>
                <div role="gridcell" className={classes.more} aria-colspan={columns.length + 1}>
                  {error === null && <Loader size="xs" aria-label={words.list.loading} />}
                </div>
              </div>
            );
          }
          return (
            <Row
              key={f.id}
              finding={f}
              index={item.index}
              start={item.start}
              columns={columns}
              selectable={selectable}
              selected={selection.all || selection.ids.has(f.id)}
              active={f.id === active}
              open={f.id === open}
              onOpen={onOpen}
              onToggle={onToggle}
            />
          );
        })}
      </div>
      {error !== null && (
        <Box p="sm">
          <Fault error={error} retry={loadMore} />
        </Box>
      )}
    </div>
  );
}

export const rowId = (id: string) => `finding-${id}`;

const Row = memo(function Row({ finding: f, index, start, columns, selectable, selected, active, open, onOpen, onToggle }: {
  finding: Finding;
  index: number;
  start: number;
  columns: Column[];
  selectable: boolean;
  selected: boolean;
  active: boolean;
  open: boolean;
  onOpen: (id: string) => void;
  onToggle: (id: string, range: boolean) => void;
}) {
  const click = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey) return;
    if (event.shiftKey && selectable) {
      event.preventDefault();
      onToggle(f.id, true);
      return;
    }
    onOpen(f.id);
  };
  return (
    <div
      role="row"
      id={rowId(f.id)}
      aria-rowindex={index + 2}
      aria-selected={selectable ? selected : undefined}
      data-active={active || undefined}
      data-open={open || undefined}
      className={classes.row}
      style={{ transform: `translateY(${start}px)`, position: 'absolute', height: rowHeight }}
      onClick={click}
    >
      {selectable && (
        <div role="gridcell" className={classes.check} onClick={(event) => event.stopPropagation()}>
          <Checkbox size="xs" tabIndex={-1} aria-label={text.findings.list.select(f.title)} checked={selected} onChange={(event) => onToggle(f.id, (event.nativeEvent as globalThis.MouseEvent).shiftKey)} />
        </div>
      )}
      {columns.map((c) => (
        <div key={c.id} role="gridcell" className={classes.cell}>
          <Cell column={c} finding={f} onOpen={onOpen} />
        </div>
      ))}
    </div>
  );
});

function Cell({ column, finding: f, onOpen }: { column: Column; finding: Finding; onOpen: (id: string) => void }) {
  const words = text.findings;
  switch (column.id) {
    case 'severity':
      return <SeverityMark severity={f.severity} />;
    case 'title':
      return (
        <div className={classes.title}>
          <a
            href={`/findings/${f.id}`}
            tabIndex={-1}
            className={classes.link}
            title={f.title}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a tab or window of its own
              event.preventDefault();
              event.stopPropagation();
              onOpen(f.id);
            }}
          >
            {f.title}
          </a>
          <span className={classes.place} title={locationOf(f)}>
            {locationOf(f)}
          </span>
        </div>
      );
    case 'state':
      return <StateBadge state={f.state} />;
    case 'application':
      return f.application ? <Cut>{f.application}</Cut> : <span className={classes.none}>{words.unassigned}</span>;
    case 'first_seen':
      return <Time at={f.first_seen} />;
    case 'last_seen':
      return <Time at={f.last_seen} />;
    case 'since':
      return <Time at={f.state_since} />;
    case 'component':
      return <Cut>{componentOf(f)}</Cut>;
    case 'ids':
      return <Cut>{(f.ids ?? []).join(', ')}</Cut>;
    case 'class':
      return <Cut>{words.class[f.class] ?? f.class}</Cut>;
    case 'service':
      return <Cut>{f.service ?? ''}</Cut>;
    case 'owner':
      return <Cut>{f.owner ?? ''}</Cut>;
    case 'tool':
      return <Cut>{f.tools?.join(', ') ?? f.tool}</Cut>;
    case 'target':
      return <Cut>{f.target}</Cut>;
  }
}

function Cut({ children }: { children: string }) {
  return (
    <span className={classes.cut} title={children || undefined}>
      {children}
    </span>
  );
}
