import { Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { countsQuery } from '../../api/findings';
import { both } from '../../lib/filter';
import { number } from '../../lib/time';
import { text } from '../../text';
import { priority } from './FindingsPage';
import classes from './FindingsPage.module.css';
import type { FindingsSearch } from './search';

/** Priority and All, each with its number. */
export function Tabs({ search, filter, refused }: { search: FindingsSearch; filter: string; refused: boolean }) {
  const words = text.findings.tabs;
  return (
    <nav aria-label={words.label} className={classes.tabs}>
      <Tooltip label={words.stands} multiline w={300} openDelay={400}>
        <Link to="/findings" search={{ ...search, tab: undefined, open: undefined }} className={classes.tab} data-chosen={search.tab !== 'all' || undefined} aria-current={search.tab !== 'all' ? 'page' : undefined}>
          {words.priority} <Count filter={both(filter, priority)} refused={refused} />
        </Link>
      </Tooltip>
      <Link to="/findings" search={{ ...search, tab: 'all', open: undefined }} className={classes.tab} data-chosen={search.tab === 'all' || undefined} aria-current={search.tab === 'all' ? 'page' : undefined}>
        {words.all} <Count filter={filter} refused={refused} />
      </Link>
    </nav>
  );
}

function Count({ filter, refused }: { filter: string; refused: boolean }) {
  const { data } = useQuery({ ...countsQuery(filter), enabled: !refused });
  if (!data || refused) return <span className={classes.number}>…</span>;
  return <span className={classes.number}>{data.capped ? text.shell.capped(number(data.total)) : number(data.total)}</span>;
}
