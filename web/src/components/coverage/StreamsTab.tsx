import { Button, Card, Chip, Group, Skeleton, Stack, Table, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconFilterOff, IconSearch, IconTimeline } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { coverageQuery } from '../../api/coverage';
import { streamsQuery, type Stream } from '../../api/streams';
import { number } from '../../lib/time';
import { term, terms } from '../../lib/term';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Time } from '../../ui/Time';
import classes from './coverage.module.css';
import { StandingMark } from './GapMark';
import { standings, streamRows, streamsFitting, type StreamRow } from './streams';

/** How many rows are drawn before one asks for more. */
const step = 100;

/** Every stream: where it stands, when it last ran, and how completely. */
export function StreamsTab() {
  const words = text.coverage.stream;
  const streams = useQuery(streamsQuery);
  const coverage = useQuery(coverageQuery);
  const { gap, app, q } = useSearch({ from: '/coverage' });
  const navigate = useNavigate({ from: '/coverage' });
  const narrow = useMediaQuery('(max-width: 62em)', false, { getInitialValueInEffect: false });
  const [drawn, setDrawn] = useState(step);
  const all = useMemo(() => streamRows(streams.data ?? [], coverage.data ?? [], new Date()), [streams.data, coverage.data]);
  if (streams.isError) return <Fault error={streams.error} retry={() => void streams.refetch()} />;
  if (streams.isPending || coverage.isPending) return <Waiting />;
  if (all.length === 0) {
    return (
      <Empty icon={IconTimeline} title={words.empty} action={<ButtonLink to="/import">{text.coverage.emptyAction}</ButtonLink>}>
        {words.emptyHelp}
      </Empty>
    );
  }
  const within = streamsFitting(all, { app: app === 'none' ? '' : app, q });
  const rows = streamsFitting(within, { standing: gap });
  const set = (to: { gap?: string; app?: string; q?: string }) => void navigate({ search: (was) => ({ ...was, ...to }), replace: true });
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">
        {words.help}
      </Text>
      {coverage.isError && <Fault error={coverage.error} retry={() => void coverage.refetch()} />}
      <Group justify="space-between" gap="sm">
        <Chip.Group value={gap ?? ''} onChange={(value) => set({ gap: value || undefined })}>
          <Group gap={6} role="radiogroup" aria-label={words.filter}>
            <Chip value="" size="xs">
              {words.all} {number(within.length)}
            </Chip>
            {standings.map((standing) => (
              <Chip key={standing} value={standing} size="xs">
                {standing === 'ended' ? words.over : words[standing]} {number(within.filter((row) => row.standing === standing).length)}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        <Group gap="xs">
          {app !== undefined && (
            <Button size="xs" variant="default" rightSection={<IconFilterOff size={14} aria-hidden />} onClick={() => set({ app: undefined })}>
              {words.ofApplication(app === 'none' ? text.coverage.unassigned : app)}
            </Button>
          )}
          <TextInput size="xs" w={260} maw="100%" aria-label={words.search} placeholder={words.search} leftSection={<IconSearch size={14} aria-hidden />} value={q ?? ''} onChange={(e) => set({ q: e.currentTarget.value || undefined })} />
        </Group>
      </Group>
      {rows.length === 0 ? (
        <Empty icon={IconFilterOff} title={words.narrow} action={<Button variant="default" onClick={() => set({ gap: undefined, app: undefined, q: undefined })}>{text.coverage.narrowClear}</Button>} />
      ) : (
        <>
          {narrow ? <Cards rows={rows.slice(0, drawn)} /> : <Rows rows={rows.slice(0, drawn)} />}
          {rows.length > drawn && (
            <Group justify="center">
              <Button variant="default" onClick={() => setDrawn(drawn + step)}>
                {text.shell.table.more}
              </Button>
            </Group>
          )}
        </>
      )}
    </Stack>
  );
}

function Rows({ rows }: { rows: StreamRow[] }) {
  const words = text.coverage.stream;
  return (
    <Table.ScrollContainer minWidth={980} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} highlightOnHover aria-label={words.list}>
        <Table.Thead>
          <Table.Tr>
            {[words.status, words.tool, words.targetAndRef, words.application, words.test, words.scope, words.observations, words.last].map((name) => (
              <Table.Th key={name} scope="col" className={classes.head} ta={name === words.observations ? 'right' : undefined}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.stream.id}>
              <Table.Td>
                <StandingMark standing={row.standing} ended={row.stream.ended} />
                <Stale row={row} />
              </Table.Td>
              <Table.Th scope="row" fw={550}>
                <Tool stream={row.stream} />
              </Table.Th>
              <Table.Td>
                {row.stream.target}
                <Text size="xs" c="dimmed">
                  {[row.stream.ref, words.places[row.stream.place] ?? row.stream.place].filter(Boolean).join(', ')}
                </Text>
              </Table.Td>
              <Table.Td>{row.stream.application || text.coverage.unassigned}</Table.Td>
              <Table.Td>{testsOf(row.stream)}</Table.Td>
              <Table.Td>{scopeOf(row.stream)}</Table.Td>
              <Table.Td ta="right">{number(row.stream.observations)}</Table.Td>
              <Table.Td>
                <LastRun stream={row.stream} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Cards({ rows }: { rows: StreamRow[] }) {
  const words = text.coverage.stream;
  return (
    <Stack gap="xs" component="ul" p={0} m={0} aria-label={words.list}>
      {rows.map((row) => (
        <Card key={row.stream.id} component="li" withBorder padding="sm">
          <Stack gap={4}>
            <Group justify="space-between" gap="xs">
              <Text size="sm" fw={600} component="div">
                <Tool stream={row.stream} />
              </Text>
              <StandingMark standing={row.standing} ended={row.stream.ended} />
            </Group>
            <Stale row={row} />
            <dl className={classes.facts}>
              <dt>{words.target}</dt>
              <dd>
                {row.stream.target}
                {row.stream.ref && ` @ ${row.stream.ref}`}
              </dd>
              <dt>{words.application}</dt>
              <dd>{row.stream.application || text.coverage.unassigned}</dd>
              <dt>{words.test}</dt>
              <dd>{testsOf(row.stream)}</dd>
              <dt>{words.scope}</dt>
              <dd>{scopeOf(row.stream)}</dd>
              <dt>{words.last}</dt>
              <dd>
                <LastRun stream={row.stream} />
              </dd>
            </dl>
          </Stack>
        </Card>
      ))}
    </Stack>
  );
}

function Stale({ row }: { row: StreamRow }) {
  if (row.standing !== 'stale') return null;
  return (
    <Text size="xs" c="dimmed">
      {text.coverage.stream.staleHelp(text.coverage.every(row.every))}
    </Text>
  );
}

function Tool({ stream }: { stream: Stream }) {
  const filter = terms(term('tool', stream.tool), term('target', stream.target), stream.ref && term('ref', stream.ref), 'is:open');
  return (
    <>
      <AnchorLink inherit to="/findings" search={{ tab: 'all', filter }} title={text.coverage.stream.findings(stream.tool, stream.target)}>
        {stream.tool}
      </AnchorLink>
      {stream.label && (
        <Text size="xs" c="dimmed" fw={400} component="div">
          {stream.label}
        </Text>
      )}
    </>
  );
}

function LastRun({ stream }: { stream: Stream }) {
  const when = stream.last_seen ? <Time at={stream.last_seen} /> : text.coverage.stream.open;
  if (!stream.snapshot) return when;
  return (
    <AnchorLink inherit to="/import/$id" params={{ id: stream.snapshot }}>
      {when}
    </AnchorLink>
  );
}

function testsOf(stream: Stream): string {
  return (stream.tests ?? []).map((test) => text.coverage.tests[test] ?? test).join(', ') || '–';
}

function scopeOf(stream: Stream): string {
  const words = text.coverage;
  const status = words.scopes[stream.coverage ?? ''] ?? stream.coverage ?? '';
  return stream.basis ? `${status} (${words.bases[stream.basis] ?? stream.basis})` : status;
}

function Waiting() {
  return (
    <Stack gap="md" aria-hidden>
      <Skeleton height={16} maw={560} />
      <Skeleton height={28} maw={420} />
      {[1, 2, 3, 4, 5, 6].map((i) => (
        <Skeleton key={i} height={30} />
      ))}
    </Stack>
  );
}
