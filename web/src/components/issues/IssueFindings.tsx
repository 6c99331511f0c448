import { Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { groupFindingsQuery, groupsQuery, type Grouping } from '../../api/findings';
import type { Issue } from '../../api/issues';
import { terms } from '../../lib/term';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { SeverityMark } from '../finding/Severity';
import classes from './issues.module.css';

const shown = 8;

/** The findings of an issue: how many of each severity, the worst of them, and where they are. */
export function IssueFindings({ issue }: { issue: Issue }) {
  const words = text.issues;
  const open = terms(issue.filter, 'is:open');
  return (
    <Stack gap="sm">
      <Group gap="md">
        {Object.entries(issue.severities).map(([severity, n]) => (
          <Group key={severity} gap={6}>
            <SeverityMark severity={severity} />
            <Text size="sm">{number(n)}</Text>
          </Group>
        ))}
        <Text size="sm" c="dimmed">
          {words.inPlaces(issue.presences)}
        </Text>
      </Group>
      {issue.active > 0 && <Worst filter={open} />}
      <Group gap="md">
        {issue.active > 0 && (
          <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter: open }}>
            {words.findingsOpen(issue.active)}
          </AnchorLink>
        )}
        <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter: issue.filter }}>
          {words.findingsAll(issue.findings)}
        </AnchorLink>
      </Group>
      {issue.active > 0 && issue.kind === 'base_image' && <Spread filter={open} by="component" title={words.components} />}
      {issue.active > 0 && ['module', 'template'].includes(issue.kind) && <Spread filter={open} by="rule" title={words.rules} />}
      {issue.active > 0 && ['code', 'secret', 'upgrade', 'module'].includes(issue.kind) && <Spread filter={open} by="file" title={words.files} />}
    </Stack>
  );
}

function Worst({ filter }: { filter: string }) {
  const top = useQuery(groupFindingsQuery(filter, '-severity'));
  if (top.isError) return <Fault error={top.error} retry={() => void top.refetch()} />;
  if (top.isPending) return <Skeleton height={80} />;
  return (
    <ul className={classes.list}>
      {top.data.items.slice(0, shown).map((finding) => (
        <li key={finding.id} className={classes.finding}>
          <SeverityMark severity={finding.severity} />
          <AnchorLink size="sm" to="/findings/$id" params={{ id: finding.id }} style={{ overflowWrap: 'anywhere' }}>
            {finding.title}
          </AnchorLink>
        </li>
      ))}
    </ul>
  );
}

/** How the findings divide: over files, or over packages. */
function Spread({ filter, by, title }: { filter: string; by: Grouping; title: string }) {
  const groups = useInfiniteQuery(groupsQuery(filter, by));
  if (groups.isError) return <Fault error={groups.error} retry={() => void groups.refetch()} />;
  if (groups.isPending) return <Skeleton height={60} />;
  const all = groups.data.pages[0]?.items ?? [];
  if (all.length < 2) return null;
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        {title}
      </Title>
      <ul className={classes.list}>
        {all.slice(0, shown).map((group) => (
          <li key={group.key} className={classes.group}>
            <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter: group.filter }} style={{ overflowWrap: 'anywhere' }}>
              {group.title || text.shell.none}
            </AnchorLink>
            <Text size="sm" c="dimmed">
              {number(group.count)}
            </Text>
          </li>
        ))}
      </ul>
    </div>
  );
}
