import { Button, Group, Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconRadar2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { dedupStatsQuery, linksQuery, scannersQuery, type DedupStats, type LinkInfo, type Scanner } from '../../api/dedup';
import { isSomewhere, useSession } from '../../api/session';
import { SeverityMark } from '../../components/finding/Severity';
import { useTakeBackLink } from '../../components/finding/LinkDialog';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Card } from '../../ui/Card';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

/** What each tool contributes, what is told more than once, and what people said of that. */
export function ScannersPage() {
  const words = text.scanners;
  const tools = useQuery(scannersQuery);
  const stats = useQuery(dedupStatsQuery);
  const links = useQuery(linksQuery);
  return (
    <Page title={words.title}>
      <Text size="sm" c="dimmed">
        {words.about}
      </Text>
      {tools.isError ? (
        <Fault error={tools.error} retry={() => void tools.refetch()} />
      ) : tools.isPending ? (
        <Skeleton h={220} aria-label={text.shell.state.loading} />
      ) : tools.data.items.length === 0 ? (
        <Empty icon={IconRadar2} title={words.empty} action={<ButtonLink to="/import">{words.emptyAction}</ButtonLink>}>
          {words.emptyHelp}
        </Empty>
      ) : (
        <>
          <Tools list={tools.data.items} />
          <Card title={words.stats.title}>
            {stats.isError ? <Fault error={stats.error} retry={() => void stats.refetch()} /> : stats.data ? <Stats of={stats.data} /> : <Skeleton h={90} />}
          </Card>
          <Card title={words.links.title}>
            {links.isError ? <Fault error={links.error} retry={() => void links.refetch()} /> : links.data ? <Links list={links.data.items} /> : <Skeleton h={60} />}
          </Card>
        </>
      )}
    </Page>
  );
}

function Tools({ list }: { list: Scanner[] }) {
  const words = text.scanners;
  const columns = ['tool', 'active', 'shared', 'only', 'decided', 'false', 'hours', 'imports', 'last'] as const;
  return (
    <Table.ScrollContainer minWidth={900} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} highlightOnHover aria-label={words.table}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((c) => (
              <Table.Th key={c} scope="col" ta={c === 'tool' || c === 'last' ? undefined : 'right'} title={(words.help as Record<string, string>)[c]}>
                {words.columns[c]}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {list.map((s) => (
            <Table.Tr key={s.tool}>
              <Table.Th scope="row" fw={550}>
                {s.tool}
              </Table.Th>
              <Table.Td ta="right">{number(s.active)}</Table.Td>
              <Table.Td ta="right">{number(s.shared)}</Table.Td>
              <Table.Td ta="right">
                <Group gap="xs" justify="flex-end" wrap="nowrap">
                  {(['critical', 'high'] as const).map((severity) => (s.only_severities[severity] ? <Severe key={severity} severity={severity} n={s.only_severities[severity]} /> : null))}
                  {s.only > 0 ? (
                    <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter: s.filter }} aria-label={words.show(number(s.only), s.tool)}>
                      {number(s.only)}
                    </AnchorLink>
                  ) : (
                    number(0)
                  )}
                </Group>
              </Table.Td>
              <Table.Td ta="right">{number(s.decided)}</Table.Td>
              <Table.Td ta="right">{words.share(s.false_positives, s.decided)}</Table.Td>
              <Table.Td ta="right">{s.decided > 0 ? words.hours(s.hours_to_decide) : words.none}</Table.Td>
              <Table.Td ta="right">{number(s.imports)}</Table.Td>
              <Table.Td>{s.last_import ? <Time at={s.last_import} /> : words.none}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Severe({ severity, n }: { severity: 'critical' | 'high'; n: number }) {
  return (
    <Group gap={4} wrap="nowrap">
      <SeverityMark severity={severity} bare />
      <Text size="sm" component="span">
        {number(n)}
      </Text>
    </Group>
  );
}

function Stats({ of }: { of: DedupStats }) {
  const words = text.scanners.stats;
  if (of.merged === 0) return <Text size="sm">{words.none}</Text>;
  return (
    <Stack gap="md">
      <Group gap="xl">
        <Figure n={of.told} label={words.told} />
        <Figure n={of.shown} label={words.shown} />
        <Figure n={of.merged} label={words.merged} />
      </Group>
      <Group gap="xl" align="flex-start">
        <Numbers title={words.rules} first={words.rule} rows={Object.entries(of.rules).sort(([, a], [, b]) => b - a)} />
        <Numbers title={words.pairs} first={words.tools} rows={of.pairs.slice(0, 20).map((p) => [p.a === p.b ? words.one(p.a) : words.pair(p.a, p.b), p.joins])} />
      </Group>
    </Stack>
  );
}

function Figure({ n, label }: { n: number; label: string }) {
  return (
    <div>
      <Text fz={24} fw={650} lh={1.2}>
        {number(n)}
      </Text>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
    </div>
  );
}

function Numbers({ title, first, rows }: { title: string; first: string; rows: [string, number][] }) {
  return (
    <Table w="auto" maw="100%" verticalSpacing={4} aria-label={title}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{first}</Table.Th>
          <Table.Th scope="col" ta="right" style={{ whiteSpace: 'nowrap' }}>
            {text.scanners.stats.times}
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(([name, n]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row" fw={400}>
              {name}
            </Table.Th>
            <Table.Td ta="right">{number(n)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Links({ list }: { list: LinkInfo[] }) {
  const words = text.scanners.links;
  const session = useSession();
  const takeBack = useTakeBackLink();
  if (list.length === 0) return <Text size="sm">{words.none}</Text>;
  return (
    <Table.ScrollContainer minWidth={720} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} aria-label={words.table}>
        <Table.Thead>
          <Table.Tr>
            {[words.at, words.by, words.what, words.of, words.why, words.act].map((c) => (
              <Table.Th key={c} scope="col">
                {c}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {list.map((l) => (
            <Table.Tr key={l.id}>
              <Table.Td>
                <Time at={l.at} />
              </Table.Td>
              <Table.Td>{l.by_name ?? l.by}</Table.Td>
              <Table.Td>{words.kinds[l.kind]}</Table.Td>
              <Table.Td>
                <Of link={l} />
              </Table.Td>
              <Table.Td>{l.reason}</Table.Td>
              <Table.Td>
                {isSomewhere(session, 'developer') && (
                  <Button size="compact-xs" variant="default" onClick={() => takeBack(l.id)}>
                    {words.undo}
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Of({ link }: { link: LinkInfo }): ReactNode {
  if (link.rules) return link.rules.map((r) => text.dedup.both(`${r.a.tool} ${r.a.rule}`, `${r.b.tool} ${r.b.rule}`)).join(', ');
  return (
    <Stack gap={0}>
      {(link.findings ?? []).map((id) => (
        <AnchorLink key={id} to="/findings/$id" params={{ id }} size="xs">
          {id}
        </AnchorLink>
      ))}
    </Stack>
  );
}
