import { Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { AssetDetail } from '../../api/assets';
import { countsQuery, groupFindingsQuery } from '../../api/findings';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { SeverityMark } from '../finding/Severity';
import classes from './assets.module.css';
import { findingsOn } from './related';

const shown = 10;

/** The worst open findings on an asset, and the way to all of them. */
export function FindingsOn({ asset }: { asset: AssetDetail }) {
  const words = text.assets;
  const filter = findingsOn(asset);
  const top = useQuery({ ...groupFindingsQuery(filter ?? '', '-severity'), enabled: filter !== null });
  const counts = useQuery({ ...countsQuery(filter ?? ''), enabled: filter !== null });
  if (filter === null) {
    return (
      <Text size="sm" c="dimmed">
        {words.findingsUnlinked}
      </Text>
    );
  }
  if (top.isError) return <Fault error={top.error} retry={() => void top.refetch()} />;
  if (top.isPending) return <Skeleton height={80} />;
  if (top.data.items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {words.findingsNone}
      </Text>
    );
  }
  const all = counts.data ? (counts.data.capped ? text.shell.capped(number(counts.data.total)) : number(counts.data.total)) : null;
  return (
    <Stack gap="xs">
      <ul className={classes.list}>
        {top.data.items.slice(0, shown).map((finding) => (
          <li key={finding.id} className={classes.finding}>
            <SeverityMark severity={finding.severity} />
            <AnchorLink size="sm" to="/findings/$id" params={{ id: finding.id }}>
              {finding.title}
            </AnchorLink>
          </li>
        ))}
      </ul>
      {all && (
        <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter }}>
          {words.findingsAll(all)}
        </AnchorLink>
      )}
    </Stack>
  );
}
