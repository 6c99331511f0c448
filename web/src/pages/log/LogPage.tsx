import { ActionIcon, Alert, Button, Code, Drawer, Group, Paper, Progress, Select, SegmentedControl, Skeleton, Stack, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { IconCircleCheck, IconAlertOctagon, IconSearch, IconTimeline, IconZoomIn } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState, type FormEvent } from 'react';
import { entryQuery, logQuery, useVerify, type LogEntry, type Verification } from '../../api/log';
import { summary } from '../../lib/logsummary';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Copyable } from '../../ui/Copyable';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

const kinds = ['snapshot', 'outcome', 'decision', 'issue', 'rules', 'ref', 'deployment', 'asset_end', 'access', 'retention', 'checkpoint', 'tombstone', 'genesis'];

/** The hash chain: searched, read, and verified. */
export function LogPage() {
  const words = text.log;
  const verify = useVerify();
  return (
    <Page
      title={words.title}
      actions={
        <Button leftSection={<IconCircleCheck size={16} aria-hidden />} loading={verify.isPending} onClick={() => verify.mutate()}>
          {words.verify.action}
        </Button>
      }
    >
      <Text size="sm" c="dimmed" maw={760}>
        {words.intro}
      </Text>
      <div aria-live="polite">
        {verify.isPending && (
          <Stack gap={4}>
            <Text size="sm">{verify.progress ? words.verify.running(number(verify.progress.done), number(verify.progress.total ?? 0)) : words.verify.beginning}</Text>
            <Progress value={verify.progress?.total ? (100 * verify.progress.done) / verify.progress.total : 0} aria-label={words.verify.beginning} />
          </Stack>
        )}
        {verify.isError && <Fault error={verify.error} />}
        {verify.isSuccess && <Verified found={verify.data} />}
      </div>
      <Search />
      <Entries />
      <EntryPanel />
    </Page>
  );
}

function Verified({ found }: { found: Verification }) {
  const words = text.log.verify;
  if (!found.ok) {
    return (
      <Alert role="alert" color="red" icon={<IconAlertOctagon aria-hidden />} title={words.bad}>
        <Text size="sm">{found.problem}</Text>
        <Text size="sm">{words.badHelp(found.bad_seq ?? 0)}</Text>
      </Alert>
    );
  }
  return (
    <Alert color="teal" icon={<IconCircleCheck aria-hidden />} title={words.ok}>
      <Stack gap="xs">
        <Text size="sm">{words.okHelp(number(found.entries), number(found.blobs))}</Text>
        {[
          [words.head, found.head],
          [words.state, found.state_hash],
          [words.history, found.history_hash],
        ].map(([label, value]) => (
          <div key={label}>
            <Text size="xs" c="dimmed">
              {label}
            </Text>
            <Copyable value={value!} />
          </div>
        ))}
        <Text size="xs" c="dimmed">
          {words.meaning}
        </Text>
      </Stack>
    </Alert>
  );
}

function useLogSearch() {
  const search = useSearch({ from: '/log' });
  const navigate = useNavigate({ from: '/log' });
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (now) => Object.fromEntries(Object.entries({ ...now, ...change }).filter(([, v]) => v)) });
  return { search, set };
}

function Search() {
  const words = text.log.search;
  const { search, set } = useLogSearch();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => (form.get(name) as string).trim();
    set({ q: field('q'), actor: field('actor'), from: field('from'), to: field('to') });
  };
  return (
    <form role="search" aria-label={words.label} onSubmit={submit} key={JSON.stringify(search)}>
      <Group align="end" gap="sm">
        <TextInput name="q" label={words.text} defaultValue={search.q ?? ''} w={{ base: '100%', xs: 220 }} />
        <Select label={words.kind} data={kinds} value={search.kind ?? null} onChange={(kind) => set({ kind: kind ?? '' })} placeholder={words.everyKind} clearable w={{ base: '100%', xs: 160 }} />
        <TextInput name="actor" label={words.actor} defaultValue={search.actor ?? ''} w={{ base: '100%', xs: 160 }} />
        <TextInput name="from" type="date" label={words.from} defaultValue={search.from ?? ''} w={{ base: '47%', xs: 150 }} />
        <TextInput name="to" type="date" label={words.to} defaultValue={search.to ?? ''} w={{ base: '47%', xs: 150 }} />
        <Button type="submit" variant="default" leftSection={<IconSearch size={16} aria-hidden />}>
          {words.label}
        </Button>
        <SegmentedControl
          aria-label={words.order}
          value={search.order ?? 'newest'}
          onChange={(order) => set({ order: order === 'oldest' ? order : '' })}
          data={[
            { value: 'newest', label: words.newest },
            { value: 'oldest', label: words.oldest },
          ]}
        />
      </Group>
    </form>
  );
}

function Entries() {
  const words = text.log;
  const { search, set } = useLogSearch();
  const { from, to, ...rest } = search;
  const entries = useInfiniteQuery(
    logQuery({ ...rest, ...(from && { from: `${from}T00:00:00Z` }), ...(to && { to: `${to}T23:59:59.999Z` }) }),
  );
  if (entries.isPending) {
    return (
      <Stack gap={6} aria-busy>
        {Array.from({ length: 10 }, (_, i) => (
          <Skeleton key={i} h={34} />
        ))}
      </Stack>
    );
  }
  if (entries.isError) return <Fault error={entries.error} retry={() => void entries.refetch()} />;
  const rows = entries.data.pages.flatMap((p) => p.items);
  if (rows.length === 0) {
    return (
      <Empty icon={IconTimeline} title={words.none} action={<Button variant="default" onClick={() => set({ q: '', kind: '', actor: '', from: '', to: '' })}>{words.search.clear}</Button>}>
        {words.noneHelp}
      </Empty>
    );
  }
  return (
    <Stack>
      <Paper withBorder>
        <Table.ScrollContainer minWidth={680} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': words.title } }}>
          <Table highlightOnHover verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{words.columns.seq}</Table.Th>
                <Table.Th>{words.columns.at}</Table.Th>
                <Table.Th>{words.columns.kind}</Table.Th>
                <Table.Th>{words.columns.actor}</Table.Th>
                <Table.Th>{words.columns.summary}</Table.Th>
                <Table.Th aria-label={words.entry.payload} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((e) => (
                <Row key={e.seq} entry={e} onShow={() => set({ entry: String(e.seq) })} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      {entries.hasNextPage && (
        <Button variant="default" mx="auto" loading={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>
          {words.more}
        </Button>
      )}
    </Stack>
  );
}

function Row({ entry, onShow }: { entry: LogEntry; onShow: () => void }) {
  const words = text.log;
  return (
    <Table.Tr>
      <Table.Td ff="monospace" fz="sm">{entry.seq}</Table.Td>
      <Table.Td fz="sm" style={{ whiteSpace: 'nowrap' }}>
        <Time at={entry.at} />
      </Table.Td>
      <Table.Td fz="sm">{entry.kind}</Table.Td>
      <Table.Td fz="sm" ff="monospace">{entry.actor === 'system' ? words.system : entry.actor}</Table.Td>
      <Table.Td fz="sm" maw={640}>
        <Text size="sm" lineClamp={2}>
          {summary(entry.kind, entry.payload)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Tooltip label={words.entry.show(entry.seq)}>
          <ActionIcon variant="subtle" color="gray" aria-label={words.entry.show(entry.seq)} onClick={onShow}>
            <IconZoomIn size={16} />
          </ActionIcon>
        </Tooltip>
      </Table.Td>
    </Table.Tr>
  );
}

function EntryPanel() {
  const words = text.log.entry;
  const { search, set } = useLogSearch();
  const [last, setLast] = useState(0); // keeps the panel's content while it closes
  const seq = Number(search.entry ?? 0);
  if (seq > 0 && seq !== last) setLast(seq);
  const entry = useQuery({ ...entryQuery(last), enabled: last > 0 });
  return (
    <Drawer opened={seq > 0} onClose={() => set({ entry: '' })} position="right" size="lg" title={words.title(last)} closeButtonProps={{ 'aria-label': text.shell.close }}>
      {entry.isError && <Fault error={entry.error} />}
      {entry.isPending && last > 0 && <Skeleton h={240} />}
      {entry.data && (
        <Stack gap="sm">
          <Text size="sm">
            {entry.data.kind} · <Time at={entry.data.at} />
          </Text>
          <div>
            <Text size="xs" c="dimmed">
              {words.hash}
            </Text>
            <Copyable value={entry.data.hash} />
          </div>
          <div>
            <Text size="xs" c="dimmed">
              {words.digest}
            </Text>
            <Copyable value={entry.data.digest} />
          </div>
          <div>
            <Text size="xs" c="dimmed">
              {words.payload}
            </Text>
            {entry.data.payload == null ? (
              <Text size="sm">{words.deleted}</Text>
            ) : (
              <Code block tabIndex={0}>
                {JSON.stringify(entry.data.payload, null, 2)}
              </Code>
            )}
          </div>
        </Stack>
      )}
    </Drawer>
  );
}
