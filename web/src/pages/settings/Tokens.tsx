import { Alert, Badge, Button, Code, Group, Modal, MultiSelect, NumberInput, Paper, Select, Skeleton, Stack, Table, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { applicationsQuery } from '../../api/applications';
import { tokensQuery, useCreateToken, useRevokeToken, type Token } from '../../api/tokens';
import { text } from '../../text';
import { Confirm } from '../../ui/Confirm';
import { Copyable } from '../../ui/Copyable';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';

export function Tokens() {
  const words = text.settings.tokens;
  const tokens = useQuery(tokensQuery);
  const [creating, create] = useDisclosure();
  const [revoking, setRevoking] = useState<Token | null>(null);
  const revoke = useRevokeToken();
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {words.intro}
        </Text>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={create.open}>
          {words.create}
        </Button>
      </Group>
      {tokens.isPending && <Skeleton h={160} />}
      {tokens.isError && <Fault error={tokens.error} retry={() => void tokens.refetch()} />}
      {tokens.data?.items.length === 0 && (
        <Empty icon={IconKey} title={words.none}>
          {words.noneHelp}
        </Empty>
      )}
      {tokens.data && tokens.data.items.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': text.settings.tabs.tokens } }}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{words.columns.name}</Table.Th>
                  <Table.Th>{words.columns.role}</Table.Th>
                  <Table.Th>{words.columns.applications}</Table.Th>
                  <Table.Th>{words.columns.used}</Table.Th>
                  <Table.Th>{words.columns.expires}</Table.Th>
                  <Table.Th>{words.columns.state}</Table.Th>
                  <Table.Th aria-label={words.columns.action} />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {tokens.data.items.map((t) => (
                  <Row key={t.id} token={t} onRevoke={() => setRevoking(t)} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <Create opened={creating} onClose={create.close} />
      <Confirm
        opened={revoking !== null}
        title={words.revokeOf(revoking?.name ?? '')}
        action={words.revoke}
        pending={revoke.isPending}
        error={revoke.error}
        onClose={() => setRevoking(null)}
        onConfirm={() => revoke.mutate(revoking!.id, { onSuccess: () => setRevoking(null) })}
      >
        {words.revokeAsk(revoking?.name ?? '')}
      </Confirm>
    </Stack>
  );
}

function stateOf(token: Token, now: Date): 'good' | 'revoked' | 'expired' {
  if (token.revoked) return 'revoked';
  return token.expires && new Date(token.expires) < now ? 'expired' : 'good';
}

function Row({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const words = text.settings.tokens;
  const [now] = useState(() => new Date());
  const state = stateOf(token, now);
  return (
    <Table.Tr>
      <Table.Td fz="sm">{token.name}</Table.Td>
      <Table.Td fz="sm">{token.role}</Table.Td>
      <Table.Td fz="sm">{token.applications?.join(', ') || words.all}</Table.Td>
      <Table.Td fz="sm">{token.used ? <Time at={token.used} /> : words.never}</Table.Td>
      <Table.Td fz="sm">
        <Time at={token.expires} />
      </Table.Td>
      <Table.Td>
        <Badge variant="dot" tt="none" color={state === 'good' ? 'teal' : 'gray'}>
          {words.states[state]}
        </Badge>
      </Table.Td>
      <Table.Td>
        {state === 'good' && (
          <Button size="xs" variant="default" onClick={onRevoke} aria-label={words.revokeOf(token.name)}>
            {words.revoke}
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Create({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const words = text.settings.tokens;
  const create = useCreateToken();
  const applications = useQuery({ ...applicationsQuery, enabled: opened });
  const [name, setName] = useState('');
  const [role, setRole] = useState<string | null>('');
  const [chosen, setChosen] = useState<string[]>([]);
  const [days, setDays] = useState<number | string>(90);
  const secret = create.data?.token;
  const close = () => {
    onClose();
    create.reset();
    setName('');
    setChosen([]);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ name, role: (role ?? '') as '' | 'viewer', days: Number(days), ...(chosen.length > 0 && { applications: chosen }) });
  };
  return (
    <Modal opened={opened} onClose={close} title={words.create} size="lg" closeButtonProps={{ 'aria-label': text.shell.close }}>
      {secret ? (
        <Stack>
          <Alert color="yellow" title={words.made}>
            <Copyable value={secret} />
          </Alert>
          <Text size="sm">{words.use}</Text>
          <Code block tabIndex={0}>{`export SINEW_SERVER=${window.location.origin} SINEW_TOKEN=${secret}\nsinew import report.sarif`}</Code>
          <Group justify="flex-end">
            <Button onClick={close}>{text.shell.close}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput label={words.name} description={words.nameHelp} required maxLength={200} data-autofocus value={name} onChange={(e) => setName(e.currentTarget.value)} />
            <Select
              label={words.role}
              value={role}
              onChange={setRole}
              allowDeselect={false}
              data={[{ value: '', label: words.asMuch }, ...Object.entries(text.settings.users.roles).map(([value, label]) => ({ value, label }))]}
            />
            <MultiSelect label={words.applications} placeholder={chosen.length === 0 ? words.everyApplication : ''} value={chosen} onChange={setChosen} searchable clearable data={(applications.data ?? []).map((a) => a.name)} />
            <NumberInput label={words.days} value={days} onChange={setDays} min={1} max={366} allowDecimal={false} required />
            {create.isError && <Fault error={create.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {text.shell.cancel}
              </Button>
              <Button type="submit" loading={create.isPending}>
                {words.submit}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
