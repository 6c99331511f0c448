import { ActionIcon, Anchor, Badge, Button, Group, Skeleton, Stack, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconGavel } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { groupFindingsQuery, groupsQuery, type FindingGroup, type Grouping } from '../../api/findings';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';
import classes from './FindingGroups.module.css';
import { locationOf } from './location';
import { ListWaiting } from './ListWaiting';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';

const order = ['critical', 'high', 'medium', 'low', 'info'];

/** Findings by what they have in common, the worst and largest first; a group opens to its findings. */
export function FindingGroups({ filter, by, sort, open, onOpen, onList, onDecide, empty }: {
  filter: string;
  by: Grouping;
  sort: string | undefined;
  open: string | undefined;
  onOpen: (id: string) => void;
  onList: (filter: string) => void;
  onDecide: ((filter: string) => void) | null;
  empty: React.ReactNode;
}) {
  const words = text.findings.group;
  const groups = useInfiniteQuery(groupsQuery(filter, by));
  if (groups.isPending) return <ListWaiting />;
  if (groups.isError && !groups.data) return <Fault error={groups.error} retry={() => void groups.refetch()} />;
  const list = groups.data.pages.flatMap((p) => p.items);
  if (list.length === 0) return <>{empty}</>;
  return (
    <Stack gap="sm" aria-busy={groups.isPlaceholderData}>
      <ul className={classes.list} aria-label={words.table(words[by])} data-stale={groups.isPlaceholderData || undefined}>
        {list.map((g) => (
          <OneGroup key={g.key} group={g} by={by} sort={sort} open={open} onOpen={onOpen} onList={onList} onDecide={onDecide} />
        ))}
      </ul>
      {groups.isError && <Fault error={groups.error} retry={() => void groups.fetchNextPage()} />}
      {groups.hasNextPage && (
        <Button variant="default" size="xs" mx="auto" loading={groups.isFetchingNextPage} onClick={() => void groups.fetchNextPage()}>
          {words.more}
        </Button>
      )}
    </Stack>
  );
}

function OneGroup({ group: g, by, sort, open, onOpen, onList, onDecide }: {
  group: FindingGroup;
  by: Grouping;
  sort: string | undefined;
  open: string | undefined;
  onOpen: (id: string) => void;
  onList: (filter: string) => void;
  onDecide: ((filter: string) => void) | null;
}) {
  const words = text.findings.group;
  const [opened, setOpened] = useState(false);
  const content = useId();
  const title = g.title || words.without[by] || '';
  const Chevron = opened ? IconChevronDown : IconChevronRight;
  return (
    <li className={classes.group}>
      <div className={classes.head}>
        <UnstyledButton className={classes.toggle} aria-expanded={opened} aria-controls={content} onClick={() => setOpened(!opened)}>
          <Chevron size={16} aria-hidden className={classes.chevron} />
          <span className={classes.words}>
            <span className={classes.title} title={title}>
              {title}
            </span>
            {by === 'rule' && g.key && g.key !== title && <span className={classes.key}>{g.key}</span>}
          </span>
        </UnstyledButton>
        <span className={classes.numbers}>
          {order
            .filter((s) => (g.severities[s] ?? 0) > 0)
            .map((s) => (
              <span key={s} className={classes.number}>
                <SeverityMark severity={s} bare />
                {number(g.severities[s]!)}
              </span>
            ))}
        </span>
        <Badge variant="default" className={classes.count}>
          {number(g.count)}
        </Badge>
        {onDecide && (
          <Tooltip label={words.decideOn(title)}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.decideOn(title)} onClick={() => onDecide(g.filter)}>
              <IconGavel size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <div id={content} hidden={!opened}>
        {opened && <Members group={g} title={title} sort={sort} open={open} onOpen={onOpen} onList={onList} />}
      </div>
    </li>
  );
}

function Members({ group: g, title, sort, open, onOpen, onList }: { group: FindingGroup; title: string; sort: string | undefined; open: string | undefined; onOpen: (id: string) => void; onList: (filter: string) => void }) {
  const words = text.findings.group;
  const members = useQuery(groupFindingsQuery(g.filter, sort));
  if (members.isPending) {
    return (
      <Stack gap={8} p="sm" pl={40}>
        {Array.from({ length: Math.min(g.count, 4) }, (_, i) => (
          <Skeleton key={i} h={14} w={`${80 - i * 8}%`} />
        ))}
      </Stack>
    );
  }
  if (members.isError) return <Fault error={members.error} retry={() => void members.refetch()} />;
  const items = members.data.items;
  return (
    <>
      <ul className={classes.members} aria-label={words.open(title)}>
        {items.map((f) => (
          <li key={f.id}>
            <a
              href={`/findings/${f.id}`}
              className={classes.member}
              data-open={f.id === open || undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                onOpen(f.id);
              }}
            >
              <SeverityMark severity={f.severity} bare />
              <span className={classes.memberTitle}>
                <span className={classes.title}>{f.title}</span>
                <span className={classes.key}>{locationOf(f)}</span>
              </span>
              <StateBadge state={f.state} />
              <Text size="xs" c="dimmed" visibleFrom="sm" w={90} ta="right">
                <Time at={f.first_seen} />
              </Text>
            </a>
          </li>
        ))}
      </ul>
      <Group pl={40} py={6}>
        <Anchor component="button" type="button" size="sm" onClick={() => onList(g.filter)}>
          {items.length < g.count ? words.all(number(g.count)) : words.list}
        </Anchor>
      </Group>
    </>
  );
}
