import { Button, Card, Group, Select, Skeleton, Stack, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks';
import { IconFilterOff, IconSearch, IconServer2 } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { applicationsQuery } from '../../api/applications';
import { assetsQuery, type Asset } from '../../api/assets';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

/** The things that sources tell about, narrowed by kind, application and key. */
export function AssetsPage() {
  const words = text.assets;
  const search = useSearch({ from: '/assets' });
  const navigate = useNavigate({ from: '/assets' });
  const applications = useQuery(applicationsQuery).data ?? [];
  const found = useInfiniteQuery(assetsQuery({ kind: search.kind, app: search.app, text: search.text }));
  const [typed, setTyped] = useState(search.text ?? '');
  const set = (to: typeof search) => void navigate({ search: (was) => ({ ...was, ...to }), replace: true });
  const setText = useDebouncedCallback((value: string) => set({ text: value || undefined }), 250);
  return (
    <Page title={words.title}>
      <Group gap="sm">
        <TextInput
          aria-label={words.search}
          placeholder={words.search}
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          maxLength={500}
          w={320}
          maw="100%"
          onChange={(e) => {
            setTyped(e.currentTarget.value);
            setText(e.currentTarget.value);
          }}
        />
        <Select
          searchable
          clearable
          clearButtonProps={{ 'aria-label': text.shell.remove }}
          aria-label={words.kind}
          placeholder={words.anyKind}
          value={search.kind ?? null}
          data={Object.entries(words.kinds).map(([value, label]) => ({ value, label })).sort((a, b) => a.label.localeCompare(b.label))}
          onChange={(kind) => set({ kind: kind ?? undefined })}
        />
        <Select
          searchable
          clearable
          clearButtonProps={{ 'aria-label': text.shell.remove }}
          limit={100}
          aria-label={words.application}
          placeholder={words.anyApplication}
          value={search.app ?? null}
          data={[...applications.map((a) => ({ value: a.name, label: a.name })), { value: 'none', label: words.unassigned }]}
          onChange={(app) => set({ app: app ?? undefined })}
        />
      </Group>
      {found.isError ? <Fault error={found.error} retry={() => void found.refetch()} /> : found.isPending ? <Waiting /> : (
        <List
          all={found.data.pages.flatMap((page) => page.items)}
          narrowed={Boolean(search.kind || search.app || search.text)}
          onClear={() => {
            setTyped('');
            void navigate({ search: {} });
          }}
        />
      )}
      {found.hasNextPage && (
        <Group justify="center">
          <Button variant="default" loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {words.more}
          </Button>
        </Group>
      )}
    </Page>
  );
}

function List({ all, narrowed, onClear }: { all: Asset[]; narrowed: boolean; onClear: () => void }) {
  const words = text.assets;
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  if (all.length === 0 && narrowed) {
    return (
      <Empty icon={IconFilterOff} title={words.narrow} action={<Button variant="default" onClick={onClear}>{words.clear}</Button>}>
        {words.narrowHelp}
      </Empty>
    );
  }
  if (all.length === 0) {
    return (
      <Empty icon={IconServer2} title={words.empty} action={<ButtonLink to="/import">{words.emptyAction}</ButtonLink>}>
        {words.emptyHelp}
      </Empty>
    );
  }
  if (narrow) {
    return (
      <Stack gap="xs" component="ul" p={0} m={0} aria-label={words.list}>
        {all.map((asset) => (
          <Card key={asset.id} component="li" withBorder padding="sm">
            <AnchorLink size="sm" fw={550} to="/assets/$id" params={{ id: asset.id }}>
              {asset.key}
            </AnchorLink>
            <Text size="xs" c="dimmed" component="div">
              {words.kinds[asset.kind] ?? asset.kind} · {asset.application || words.unassigned}
              {asset.ended && (
                <>
                  {' '}
                  · {words.ended} <Time at={asset.ended} />
                </>
              )}
            </Text>
          </Card>
        ))}
      </Stack>
    );
  }
  return (
    <Table.ScrollContainer minWidth={640} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} highlightOnHover aria-label={words.list}>
        <Table.Thead>
          <Table.Tr>
            {[words.key, words.kind, words.application, words.ended].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {all.map((asset) => (
            <Table.Tr key={asset.id}>
              <Table.Th scope="row" fw={500}>
                <AnchorLink inherit to="/assets/$id" params={{ id: asset.id }}>
                  {asset.key}
                </AnchorLink>
              </Table.Th>
              <Table.Td>{words.kinds[asset.kind] ?? asset.kind}</Table.Td>
              <Table.Td>{asset.application || words.unassigned}</Table.Td>
              <Table.Td>{asset.ended ? <Time at={asset.ended} /> : '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Waiting() {
  return (
    <Table verticalSpacing={6} aria-hidden>
      <Table.Tbody>
        {Array.from({ length: 12 }, (_, i) => (
          <Table.Tr key={i}>
            {[320, 80, 80, 40].map((width, j) => (
              <Table.Td key={j}>
                <Skeleton height={14} my={3} maw={width} />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
