import { Skeleton } from '@mantine/core';
import { text } from '../../text';
import { rowHeight } from './FindingGrid';
import classes from './ListWaiting.module.css';

/** The list while it is loading, in the shape that it will have. */
export function ListWaiting({ rows = 12 }: { rows?: number }) {
  return (
    <div className={classes.list} role="status" aria-label={text.shell.state.loading}>
      <div className={classes.head} />
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={classes.row} style={{ height: rowHeight }}>
          <Skeleton h={12} w={72} />
          <div className={classes.title}>
            <Skeleton h={12} w={`${70 - (i % 4) * 9}%`} />
            <Skeleton h={9} mt={7} w={`${40 - (i % 3) * 7}%`} />
          </div>
          <Skeleton h={12} w={80} visibleFrom="sm" />
          <Skeleton h={12} w={70} visibleFrom="sm" />
        </div>
      ))}
    </div>
  );
}
