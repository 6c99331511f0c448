import { Badge, Button, Group, Paper, PasswordInput, SimpleGrid, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { useSession } from '../../api/session';
import { sessionsQuery, useEndSession } from '../../api/sessions';
import { useChangePassword } from '../../api/users';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';

export function Account() {
  const words = text.settings.account;
  const session = useSession();
  if (!session) return null;
  const grants = Object.entries(session.grants ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper withBorder p="md">
          <Stack gap="xs">
            <Fact label={words.who} value={session.user.name ? `${session.user.name} (${session.user.login})` : (session.user.login ?? session.user.id)} />
            <Fact label={words.provider} value={session.provider || words.byPassword} />
            <Fact label={words.role} value={session.role || text.shell.none} />
            {grants.length > 0 && <Fact label={words.roles} value={grants.map(([application, role]) => `${application}: ${role}`).join(', ')} />}
            {!session.role && grants.length === 0 && <Text size="sm">{words.noRoles}</Text>}
          </Stack>
        </Paper>
        {!session.provider && <Password />}
      </SimpleGrid>
      <Sessions />
    </Stack>
  );
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text size="sm">{value}</Text>
    </div>
  );
}

function Password() {
  const words = text.settings.account.password;
  const change = useChangePassword();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(
      { old, new: fresh },
      {
        onSuccess: () => {
          setOld('');
          setFresh('');
          notifications.show({ message: words.done });
        },
      },
    );
  };
  return (
    <Paper withBorder p="md">
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Title order={2} size="h5">
            {words.title}
          </Title>
          <PasswordInput label={words.old} autoComplete="current-password" required value={old} onChange={(e) => setOld(e.currentTarget.value)} />
          <PasswordInput label={words.new} description={words.help} autoComplete="new-password" required minLength={12} value={fresh} onChange={(e) => setFresh(e.currentTarget.value)} />
          {change.isError && <Fault error={change.error} />}
          <Group>
            <Button type="submit" variant="default" loading={change.isPending}>
              {words.submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}

function Sessions() {
  const words = text.settings.account.sessions;
  const sessions = useQuery(sessionsQuery);
  const end = useEndSession();
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Title order={2} size="h5">
          {words.title}
        </Title>
        {sessions.isPending && <Skeleton h={80} />}
        {sessions.isError && <Fault error={sessions.error} retry={() => void sessions.refetch()} />}
        {end.isError && <Fault error={end.error} />}
        {sessions.data && (
          <Table.ScrollContainer minWidth={520} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': words.title } }}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{words.agent}</Table.Th>
                  <Table.Th>{words.address}</Table.Th>
                  <Table.Th>{words.since}</Table.Th>
                  <Table.Th>{words.seen}</Table.Th>
                  <Table.Th aria-label={words.end} />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {sessions.data.items.map((s) => (
                  <Table.Tr key={s.id}>
                    <Table.Td fz="sm">{s.agent || words.unknown}</Table.Td>
                    <Table.Td fz="sm">{s.address || words.unknown}</Table.Td>
                    <Table.Td fz="sm">
                      <Time at={s.created} />
                    </Table.Td>
                    <Table.Td fz="sm">
                      <Time at={s.seen} />
                    </Table.Td>
                    <Table.Td>
                      {s.current ? (
                        <Badge variant="dot" tt="none">{words.current}</Badge>
                      ) : (
                        <Button size="xs" variant="default" loading={end.isPending && end.variables === s.id} onClick={() => end.mutate(s.id, { onSuccess: () => notifications.show({ message: words.ended }) })}>
                          {words.end}
                        </Button>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Stack>
    </Paper>
  );
}
