import { ActionIcon, Alert, Badge, Button, Group, List, Modal, Paper, Select, Skeleton, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { IconCheck, IconPlus, IconTrash, IconUserShield, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { providerListQuery, useRemoveProvider, useSaveProvider, useTestProvider, type Provider, type ProviderBody } from '../../api/providers';
import { text } from '../../text';
import { Confirm } from '../../ui/Confirm';
import { Copyable } from '../../ui/Copyable';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';

export function Providers() {
  const words = text.settings.providers;
  const providers = useQuery(providerListQuery);
  const [editing, setEditing] = useState<Provider | 'new' | null>(null);
  const [removing, setRemoving] = useState<Provider | null>(null);
  const remove = useRemoveProvider();
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" maw={680}>
          {words.intro}
        </Text>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setEditing('new')}>
          {words.create}
        </Button>
      </Group>
      {providers.isPending && <Skeleton h={120} />}
      {providers.isError && <Fault error={providers.error} retry={() => void providers.refetch()} />}
      {providers.data?.items.length === 0 && (
        <Empty icon={IconUserShield} title={words.none}>
          {words.noneHelp}
        </Empty>
      )}
      {providers.data?.items.map((p) => (
        <One key={p.id} provider={p} onEdit={() => setEditing(p)} onRemove={() => setRemoving(p)} />
      ))}
      {editing && <Edit key={editing === 'new' ? '' : editing.id} provider={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      <Confirm
        opened={removing !== null}
        title={words.removeOf(removing?.name ?? '')}
        action={words.remove}
        pending={remove.isPending}
        error={remove.error}
        onClose={() => setRemoving(null)}
        onConfirm={() => remove.mutate(removing!.id, { onSuccess: () => setRemoving(null) })}
      >
        {words.removeAsk(removing?.name ?? '')}
      </Confirm>
    </Stack>
  );
}

function One({ provider, onEdit, onRemove }: { provider: Provider; onEdit: () => void; onRemove: () => void }) {
  const words = text.settings.providers;
  const test = useTestProvider();
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Group gap="sm">
            <Title order={2} size="h5">
              {provider.name}
            </Title>
            <Badge variant="dot" tt="none" color={provider.enabled ? 'teal' : 'gray'}>
              {provider.enabled ? words.on : words.off}
            </Badge>
          </Group>
          <Group gap="xs">
            <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate(provider.id)} aria-label={words.testOf(provider.name)}>
              {words.test}
            </Button>
            <Button size="xs" variant="default" onClick={onEdit} aria-label={words.editOf(provider.name)}>
              {words.edit}
            </Button>
            <Button size="xs" variant="default" onClick={onRemove} aria-label={words.removeOf(provider.name)}>
              {words.remove}
            </Button>
          </Group>
        </Group>
        <Text size="sm">{provider.issuer}</Text>
        <Text size="xs" c="dimmed">
          {words.callback}
        </Text>
        <Copyable value={provider.callback ?? ''} />
        <div aria-live="polite">
          {test.data && (
            <Alert color={test.data.ok ? 'teal' : 'red'} title={test.data.ok ? words.testOk : words.testBad}>
              <List size="sm">
                {test.data.checks.map((check) => (
                  <List.Item key={check.what} icon={check.status === 'ok' ? <IconCheck size={16} aria-hidden /> : <IconX size={16} aria-hidden />}>
                    {check.what}: {check.detail || check.status}
                  </List.Item>
                ))}
              </List>
            </Alert>
          )}
          {test.isError && <Fault error={test.error} />}
        </div>
      </Stack>
    </Paper>
  );
}

interface Mapping {
  group: string;
  role: string;
  application: string;
}

function Edit({ provider, onClose }: { provider: Provider | null; onClose: () => void }) {
  const words = text.settings.providers;
  const roles = Object.entries(text.settings.users.roles).map(([value, label]) => ({ value, label }));
  const save = useSaveProvider();
  const [mappings, setMappings] = useState<Mapping[]>(() => (provider?.mappings ?? []).map((m) => ({ group: m.group, role: m.role, application: m.application ?? '' })));
  const [defaultRole, setDefaultRole] = useState<string | null>(provider?.default_role ?? '');
  const [enabled, setEnabled] = useState(provider?.enabled ?? true);
  const change = (i: number, part: Partial<Mapping>) => setMappings(mappings.map((m, n) => (n === i ? { ...m, ...part } : m)));
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => ((form.get(name) as string | null) ?? '').trim();
    const secret = field('client_secret');
    const body = {
      name: field('name'),
      issuer: field('issuer'),
      client_id: field('client_id'),
      ...(secret && { client_secret: secret }),
      scopes: field('scopes').split(/\s+/).filter(Boolean),
      groups_claim: field('groups_claim'),
      login_claim: field('login_claim'),
      mappings: mappings.filter((m) => m.group.trim() !== ''),
      default_role: defaultRole ?? '',
      enabled,
    } as ProviderBody;
    save.mutate({ id: provider?.id ?? field('id'), body, isNew: provider === null }, { onSuccess: onClose });
  };
  return (
    <Modal opened onClose={onClose} title={provider ? words.editOf(provider.name) : words.create} size="lg" closeButtonProps={{ 'aria-label': text.shell.close }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {!provider && <TextInput name="id" label={words.id} description={words.idHelp} required pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" maxLength={40} data-autofocus />}
          <TextInput name="name" label={words.name} required defaultValue={provider?.name ?? ''} />
          <TextInput name="issuer" type="url" label={words.issuer} description={words.issuerHelp} required defaultValue={provider?.issuer ?? ''} placeholder="https://login.example.org" />
          <TextInput name="client_id" label={words.clientId} required defaultValue={provider?.client_id ?? ''} />
          <TextInput name="client_secret" type="password" autoComplete="off" label={words.clientSecret} description={provider?.has_secret ? words.secretKept : undefined} />
          <Group grow>
            <TextInput name="scopes" label={words.scopes} defaultValue={(provider?.scopes ?? ['openid', 'profile', 'email']).join(' ')} />
            <TextInput name="groups_claim" label={words.groupsClaim} defaultValue={provider?.groups_claim ?? 'groups'} />
            <TextInput name="login_claim" label={words.loginClaim} defaultValue={provider?.login_claim ?? 'preferred_username'} />
          </Group>
          <Title order={3} size="h6">
            {words.mappings}
          </Title>
          {mappings.map((m, i) => (
            <Group key={i} align="end" wrap="nowrap" gap="xs">
              <TextInput label={words.group} value={m.group} onChange={(e) => change(i, { group: e.currentTarget.value })} flex={1} />
              <TextInput label={words.application} value={m.application} onChange={(e) => change(i, { application: e.currentTarget.value })} flex={1} />
              <Select label={text.settings.users.role} data={roles} value={m.role} onChange={(role) => change(i, { role: role ?? 'viewer' })} allowDeselect={false} w={130} />
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words.removeMapping(m.group)} onClick={() => setMappings(mappings.filter((_, n) => n !== i))}>
                <IconTrash size={16} />
              </ActionIcon>
            </Group>
          ))}
          <Group>
            <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setMappings([...mappings, { group: '', role: 'viewer', application: '' }])}>
              {words.addMapping}
            </Button>
          </Group>
          <Select label={words.defaultRole} value={defaultRole} onChange={setDefaultRole} allowDeselect={false} data={[{ value: '', label: words.noDefault }, ...roles]} />
          <Switch label={words.enabled} checked={enabled} onChange={(e) => setEnabled(e.currentTarget.checked)} />
          {save.isError && <Fault error={save.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {text.shell.cancel}
            </Button>
            <Button type="submit" loading={save.isPending}>
              {text.shell.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
