import { Button, Card, Group, Select, Skeleton, Stack, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks';
import { IconFilterOff, IconSearch, IconTargetArrow } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { applicationsQuery } from '../../api/applications';
import { issueKinds, issuesQuery, issueSorts, issueStates, type Issue } from '../../api/issues';
import { advice } from '../../components/issues/advice';
import classes from '../../components/issues/issues.module.css';
import { SeverityMark } from '../../components/finding/Severity';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Page } from '../../ui/Page';

/** Root causes, ranked by what mending them closes. */
export function IssuesPage() {
  const words = text.issues;
  const search = useSearch({ from: '/issues' });
  const navigate = useNavigate({ from: '/issues' });
  const applications = useQuery(applicationsQuery).data ?? [];
  const found = useInfiniteQuery(issuesQuery(search));
  const [typed, setTyped] = useState(search.text ?? '');
  const [owner, setOwner] = useState(search.owner ?? '');
  const set = (to: typeof search) => void navigate({ search: (was) => ({ ...was, ...to }), replace: true });
  const setText = useDebouncedCallback((value: string) => set({ text: value || undefined }), 250);
  const setOwnerLater = useDebouncedCallback((value: string) => set({ owner: value || undefined }), 250);
  return (
    <Page title={words.title}>
      <Text size="sm" c="dimmed">
        {words.lead}
      </Text>
      <Group gap="sm">
        <TextInput
          aria-label={words.search}
          placeholder={words.search}
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          maxLength={500}
          w={260}
          maw="100%"
          onChange={(e) => {
            setTyped(e.currentTarget.value);
            setText(e.currentTarget.value);
          }}
        />
        <Choice label={words.kind} any={words.anyKind} value={search.kind} data={issueKinds.map((value) => ({ value, label: words.kinds[value] ?? value }))} onChange={(kind) => set({ kind })} />
        <Choice
          label={words.state}
          any={words.toDo}
          value={search.state}
          data={[...issueStates.map((value) => ({ value, label: words.states[value] ?? value })), { value: 'all', label: words.anyState }]}
          onChange={(state) => set({ state })}
        />
        <Choice
          label={words.application}
          any={words.anyApplication}
          value={search.app}
          data={[...applications.map((a) => ({ value: a.name, label: a.name })), { value: 'none', label: words.unassigned }]}
          onChange={(app) => set({ app })}
        />
        <TextInput
          aria-label={words.owner}
          placeholder={words.anyOwner}
          value={owner}
          maxLength={200}
          w={140}
          onChange={(e) => {
            setOwner(e.currentTarget.value);
            setOwnerLater(e.currentTarget.value);
          }}
        />
        <Select
          allowDeselect={false}
          aria-label={words.sort}
          w={160}
          value={search.sort ?? issueSorts[0]}
          data={issueSorts.map((value) => ({ value, label: words.sorts[value] ?? value }))}
          onChange={(sort) => set({ sort: sort === issueSorts[0] ? undefined : (sort ?? undefined) })}
        />
      </Group>
      {found.isError ? <Fault error={found.error} retry={() => void found.refetch()} /> : found.isPending ? <Waiting /> : (
        <List
          all={found.data.pages.flatMap((page) => page.items)}
          narrowed={Boolean(search.kind || search.app || search.text || search.owner || search.state)}
          onClear={() => {
            setTyped('');
            setOwner('');
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

interface ChoiceProps {
  label: string;
  any: string;
  value: string | undefined;
  data: { value: string; label: string }[];
  onChange: (value: string | undefined) => void;
}

function Choice({ label, any, value, data, onChange }: ChoiceProps) {
  return (
    <Select
      searchable
      clearable
      clearButtonProps={{ 'aria-label': text.shell.remove }}
      limit={100}
      w={170}
      aria-label={label}
      placeholder={any}
      value={value ?? null}
      data={data}
      onChange={(to) => onChange(to ?? undefined)}
    />
  );
}

function List({ all, narrowed, onClear }: { all: Issue[]; narrowed: boolean; onClear: () => void }) {
  const words = text.issues;
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
      <Empty icon={IconTargetArrow} title={words.empty} action={<ButtonLink to="/import">{words.emptyAction}</ButtonLink>}>
        {words.emptyHelp}
      </Empty>
    );
  }
  if (narrow) {
    return (
      <Stack gap="xs" component="ul" p={0} m={0} aria-label={words.list}>
        {all.map((issue) => (
          <Card key={issue.id} component="li" withBorder padding="sm">
            <Cause issue={issue} />
            <Group gap="xs" mt={4}>
              {issue.worst && <SeverityMark severity={issue.worst} />}
              <Text size="xs" c="dimmed">
                {words.closesFindings(issue.active)}, {words.inPlaces(issue.presences)}
              </Text>
            </Group>
            <Text size="xs" c="dimmed">
              {[words.states[issue.state], issue.application || words.unassigned, issue.owner, issue.ticket?.key].filter(Boolean).join(' · ')}
            </Text>
          </Card>
        ))}
      </Stack>
    );
  }
  return (
    <Table.ScrollContainer minWidth={900} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} highlightOnHover aria-label={words.list}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" ta="right" className={classes.short}>
              {words.closes}
            </Table.Th>
            <Table.Th scope="col" ta="right" className={classes.short}>
              {words.places}
            </Table.Th>
            {[words.worst, words.cause, words.kind, words.application, words.state, words.owner, words.ticket].map((name) => (
              <Table.Th key={name} scope="col" className={classes.short}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {all.map((issue) => (
            <Table.Tr key={issue.id}>
              <Table.Td ta="right">{number(issue.active)}</Table.Td>
              <Table.Td ta="right">{number(issue.presences)}</Table.Td>
              <Table.Td>{issue.worst ? <SeverityMark severity={issue.worst} /> : '–'}</Table.Td>
              <Table.Th scope="row" fw={500} style={{ overflowWrap: 'anywhere', minWidth: 280 }}>
                <Cause issue={issue} />
              </Table.Th>
              <Table.Td className={classes.short}>{words.kinds[issue.kind] ?? issue.kind}</Table.Td>
              <Table.Td>{issue.application || words.unassigned}</Table.Td>
              <Table.Td className={classes.short}>{words.states[issue.state] ?? issue.state}</Table.Td>
              <Table.Td>{issue.owner || '–'}</Table.Td>
              <Table.Td>{issue.ticket?.key || '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** The cause, a link, and under it what mends it. */
function Cause({ issue }: { issue: Issue }) {
  const line = advice(issue);
  return (
    <>
      <AnchorLink size="sm" fw={550} to="/issues/$id" params={{ id: issue.id }} style={{ overflowWrap: 'anywhere' }}>
        {issue.cause}
      </AnchorLink>
      {line && (
        <Text size="xs" c="dimmed" fw={400}>
          {line}
        </Text>
      )}
    </>
  );
}

function Waiting() {
  return (
    <Table verticalSpacing={6} aria-hidden>
      <Table.Tbody>
        {Array.from({ length: 12 }, (_, i) => (
          <Table.Tr key={i}>
            {[40, 40, 70, 320, 80, 80, 60].map((width, j) => (
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
