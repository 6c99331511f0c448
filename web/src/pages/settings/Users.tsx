import { Alert, Badge, Button, Group, Menu, ActionIcon, Modal, Paper, Select, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconDots, IconUserPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { applicationsQuery } from '../../api/applications';
import { useSession } from '../../api/session';
import { useInvite, useUserActions, usersQuery, type User } from '../../api/users';
import { text } from '../../text';
import { Confirm } from '../../ui/Confirm';
import { Copyable } from '../../ui/Copyable';
import { Fault } from '../../ui/Fault';
import { Time } from '../../ui/Time';

type Role = 'viewer' | 'developer' | 'admin';

const roleChoices = () => Object.entries(text.settings.users.roles).map(([value, label]) => ({ value, label }));

export function Users() {
  const words = text.settings.users;
  const users = useQuery(usersQuery);
  const [inviting, invite] = useDisclosure();
  const [editing, setEditing] = useState<string | null>(null);
  const [erasing, setErasing] = useState<User | null>(null);
  const actions = useUserActions();
  const edited = users.data?.find((u) => u.id === editing);
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" maw={680}>
          {words.intro} {words.rolesHelp}
        </Text>
        <Button leftSection={<IconUserPlus size={16} aria-hidden />} onClick={invite.open}>
          {words.invite}
        </Button>
      </Group>
      {users.isPending && <Skeleton h={160} />}
      {users.isError && <Fault error={users.error} retry={() => void users.refetch()} />}
      {(actions.disable.error ?? actions.enable.error) && <Fault error={actions.disable.error ?? actions.enable.error} />}
      {users.data && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': text.settings.tabs.users } }}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{words.columns.name}</Table.Th>
                  <Table.Th>{words.columns.role}</Table.Th>
                  <Table.Th>{words.columns.grants}</Table.Th>
                  <Table.Th>{words.columns.created}</Table.Th>
                  <Table.Th>{words.columns.state}</Table.Th>
                  <Table.Th aria-label={words.columns.action} />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {users.data.map((u) => (
                  <Row key={u.id} user={u} onEdit={() => setEditing(u.id)} onErase={() => setErasing(u)} onSwitch={() => (u.disabled ? actions.enable : actions.disable).mutate(u.id)} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <Invite opened={inviting} onClose={invite.close} />
      <Roles user={edited} onClose={() => setEditing(null)} />
      <Confirm
        opened={erasing !== null}
        title={words.eraseOf(nameOf(erasing))}
        action={words.erase}
        pending={actions.erase.isPending}
        error={actions.erase.error}
        onClose={() => setErasing(null)}
        onConfirm={() => actions.erase.mutate(erasing!.id, { onSuccess: () => setErasing(null) })}
      >
        {words.eraseAsk(nameOf(erasing))}
      </Confirm>
    </Stack>
  );
}

function nameOf(user: User | null | undefined): string {
  return user?.name || user?.login || user?.id || '';
}

function Row({ user, onEdit, onErase, onSwitch }: { user: User; onEdit: () => void; onErase: () => void; onSwitch: () => void }) {
  const words = text.settings.users;
  const me = useSession()?.user.id === user.id;
  const grants = Object.entries(user.grants ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm">
          {nameOf(user)} {me && <Text span size="xs" c="dimmed">({words.you})</Text>}
        </Text>
        {user.name && user.login && (
          <Text size="xs" c="dimmed">
            {user.login}
          </Text>
        )}
      </Table.Td>
      <Table.Td fz="sm">{user.role ? words.roles[user.role] : words.noRole}</Table.Td>
      <Table.Td fz="sm">{grants.map(([application, role]) => `${application}: ${words.roles[role] ?? role}`).join(', ') || '–'}</Table.Td>
      <Table.Td fz="sm">
        <Time at={user.created} />
      </Table.Td>
      <Table.Td>
        <Badge variant="dot" tt="none" color={user.disabled ? 'gray' : 'teal'}>
          {user.disabled ? words.states.disabled : words.states.active}
        </Badge>
      </Table.Td>
      <Table.Td>
        <Group gap={4} wrap="nowrap" justify="flex-end">
          <Button size="xs" variant="default" onClick={onEdit} aria-label={words.editOf(nameOf(user))}>
            {words.edit}
          </Button>
          {!me && (
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" aria-label={`${words.columns.action}: ${nameOf(user)}`}>
                  <IconDots size={16} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={onSwitch}>{user.disabled ? words.enable : words.disable}</Menu.Item>
                <Menu.Item c="red" onClick={onErase}>
                  {words.erase}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function Invite({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const words = text.settings.users;
  const invite = useInvite();
  const [role, setRole] = useState<Role>('viewer');
  const close = () => {
    onClose();
    invite.reset();
  };
  return (
    <Modal opened={opened} onClose={close} title={words.invite} closeButtonProps={{ 'aria-label': text.shell.close }}>
      <Stack>
        {invite.data ? (
          <Alert color="teal" title={words.inviteMade}>
            <Copyable value={`${window.location.origin}/join/${invite.data.secret}`} />
          </Alert>
        ) : (
          <>
            <Text size="sm">{words.inviteHelp}</Text>
            <Select label={words.inviteRole} data={roleChoices()} value={role} onChange={(value) => setRole(value as Role)} allowDeselect={false} />
          </>
        )}
        {invite.isError && <Fault error={invite.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {text.shell.close}
          </Button>
          {!invite.data && (
            <Button loading={invite.isPending} onClick={() => invite.mutate(role)}>
              {words.inviteMake}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Roles({ user, onClose }: { user: User | undefined; onClose: () => void }) {
  const words = text.settings.users;
  const { grant } = useUserActions();
  const applications = useQuery({ ...applicationsQuery, enabled: user !== undefined });
  const [application, setApplication] = useState<string | null>(null);
  const [role, setRole] = useState<Role>('viewer');
  if (!user) return null;
  const grants = Object.entries(user.grants ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Modal opened onClose={onClose} title={words.editOf(nameOf(user))} size="lg" closeButtonProps={{ 'aria-label': text.shell.close }}>
      <Stack>
        <Select
          label={words.columns.role}
          description={words.rolesHelp}
          value={user.role ?? ''}
          allowDeselect={false}
          data={[{ value: '', label: words.noRole }, ...roleChoices()]}
          onChange={(value) => grant.mutate({ id: user.id, role: (value ?? '') as '' | Role })}
        />
        {grants.map(([name, granted]) => (
          <Group key={name} justify="space-between">
            <Text size="sm">
              {name}: {words.roles[granted] ?? granted}
            </Text>
            <Button size="xs" variant="default" aria-label={words.takeAway(name)} onClick={() => grant.mutate({ id: user.id, role: '', application: name })}>
              {text.shell.remove}
            </Button>
          </Group>
        ))}
        <Group align="end">
          <Select label={words.application} data={(applications.data ?? []).map((a) => a.name)} searchable value={application} onChange={setApplication} flex={1} />
          <Select label={words.role} data={roleChoices()} value={role} onChange={(value) => setRole(value as Role)} allowDeselect={false} w={140} />
          <Button variant="default" disabled={!application} loading={grant.isPending} onClick={() => grant.mutate({ id: user.id, role, application: application! }, { onSuccess: () => setApplication(null) })}>
            {words.addGrant}
          </Button>
        </Group>
        {grant.isError && <Fault error={grant.error} />}
      </Stack>
    </Modal>
  );
}
