import { Button, Group, Menu, Modal, Radio, Select, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBookmark, IconBookmarkPlus, IconDeviceFloppy, IconHome, IconPencil, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { applicationsQuery } from '../../api/applications';
import { isEverywhere, isSomewhere, useSession } from '../../api/session';
import { useDeleteView, useSaveView, viewsQuery, type SavedView } from '../../api/views';
import type { FindingsSearch } from '../../pages/findings/search';
import { text } from '../../text';
import { Confirm } from '../../ui/Confirm';
import { Fault } from '../../ui/Fault';
import { bodyOf, firstView, isChanged, searchOf, setFirstView } from './views';

const scopes = ['private', 'unit', 'everyone'] as const;

/** Saved views: choose one, save what is shown as one, change and delete them. */
export function Views({ search, show }: { search: FindingsSearch; show: (search: FindingsSearch) => void }) {
  const words = text.findings.views;
  const views = useQuery(viewsQuery);
  const save = useSaveView();
  const remove = useDeleteView();
  const [editing, setEditing] = useState<'new' | 'change' | null>(null);
  const [removing, setRemoving] = useState(false);
  const [first, setFirst] = useState(() => firstView(window.localStorage));
  const session = useSession();
  const list = views.data?.items ?? [];
  const current = list.find((v) => v.id === search.view);
  const changed = current !== undefined && isChanged(current, search);
  const mayChange = current !== undefined && (current.scope === 'everyone' ? isEverywhere(session, 'admin') : current.scope === 'unit' ? isSomewhere(session, 'developer') : current.mine);
  const begin = (id: string | null) => {
    setFirstView(window.localStorage, id);
    setFirst(id);
  };
  return (
    <>
      <Menu position="bottom-start" width={300}>
        <Menu.Target>
          <Button size="xs" variant="default" leftSection={<IconBookmark size={16} aria-hidden />} maw={260}>
            {current ? (
              <>
                {current.name}
                {changed && (
                  <Text span inherit c="dimmed">
                    &nbsp;· {words.changed}
                  </Text>
                )}
              </>
            ) : (
              words.label
            )}
          </Button>
        </Menu.Target>
        <Menu.Dropdown mah={480} style={{ overflowY: 'auto' }}>
          {views.isError && <Fault error={views.error} retry={() => void views.refetch()} />}
          {views.isSuccess && list.length === 0 && (
            <Text size="xs" c="dimmed" p="xs">
              {words.none}
            </Text>
          )}
          {scopes.map((scope) => {
            const some = list.filter((v) => v.scope === scope);
            if (some.length === 0) return null;
            return (
              <div key={scope} role="group" aria-label={scopeWord(scope)}>
                <Menu.Label>{scopeWord(scope)}</Menu.Label>
                {some.map((v) => (
                  <Menu.Item key={v.id} leftSection={<IconBookmark size={16} aria-hidden />} aria-current={v.id === current?.id || undefined} fw={v.id === current?.id ? 600 : undefined} onClick={() => show(searchOf(v))}>
                    {v.name}
                    <Text span size="xs" c="dimmed">
                      {v.application && ` · ${v.application}`}
                      {!v.mine && v.owner_name && ` · ${words.by(v.owner_name)}`}
                      {v.id === first && ` · ${words.isDefault}`}
                    </Text>
                  </Menu.Item>
                ))}
              </div>
            );
          })}
          <Menu.Divider />
          <Menu.Item leftSection={<IconBookmarkPlus size={16} aria-hidden />} onClick={() => setEditing('new')}>
            {words.save}
          </Menu.Item>
          {current && mayChange && changed && (
            <Menu.Item
              leftSection={<IconDeviceFloppy size={16} aria-hidden />}
              onClick={() =>
                save.mutate(
                  { id: current.id, body: bodyOf(search, current.name, current.scope, current.application ?? '') },
                  { onSuccess: () => notifications.show({ message: words.saved(current.name) }), onError: (error) => notifications.show({ color: 'red', message: <Fault error={error} />, autoClose: false }) },
                )
              }
            >
              {words.update(current.name)}
            </Menu.Item>
          )}
          {current && mayChange && (
            <>
              <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setEditing('change')}>
                {words.change(current.name)}
              </Menu.Item>
              <Menu.Item leftSection={<IconTrash size={16} aria-hidden />} onClick={() => setRemoving(true)}>
                {words.remove(current.name)}
              </Menu.Item>
            </>
          )}
          {current && current.id !== first && (
            <Menu.Item leftSection={<IconHome size={16} aria-hidden />} onClick={() => begin(current.id)}>
              {words.makeDefault(current.name)}
            </Menu.Item>
          )}
          {first !== null && list.some((v) => v.id === first) && (
            <Menu.Item leftSection={<IconHome size={16} aria-hidden />} onClick={() => begin(null)}>
              {words.noDefault}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Modal opened={editing !== null} onClose={() => setEditing(null)} title={editing === 'new' ? words.saveTitle : words.changeTitle} closeButtonProps={{ 'aria-label': text.shell.close }}>
        {editing && <ViewForm view={editing === 'change' ? current : undefined} search={search} onClose={() => setEditing(null)} onSaved={(v) => show({ ...search, ...searchOf(v) })} />}
      </Modal>
      {current && (
        <Confirm
          opened={removing}
          title={words.removeTitle}
          action={text.shell.remove}
          pending={remove.isPending}
          error={remove.error}
          onClose={() => setRemoving(false)}
          onConfirm={() =>
            remove.mutate(current.id, {
              onSuccess: () => {
                setRemoving(false);
                if (first === current.id) begin(null);
                notifications.show({ message: words.removed(current.name) });
                show({ ...search, view: undefined });
              },
            })
          }
        >
          {words.removeHelp(current.name)}
        </Confirm>
      )}
    </>
  );
}

function ViewForm({ view, search, onClose, onSaved }: { view: SavedView | undefined; search: FindingsSearch; onClose: () => void; onSaved: (view: SavedView) => void }) {
  const words = text.findings.views;
  const session = useSession();
  const save = useSaveView();
  const [name, setName] = useState(view?.name ?? '');
  const [scope, setScope] = useState<SavedView['scope']>(view?.scope ?? 'private');
  const [application, setApplication] = useState<string | null>(view?.application ?? null);
  const applications = useQuery({ ...applicationsQuery, enabled: scope === 'unit' });
  const offered = scopes.filter((s) => s === view?.scope || (s === 'private' ? (view?.mine ?? true) : s === 'unit' ? isSomewhere(session, 'developer') : isEverywhere(session, 'admin')));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(
      // Renaming and sharing leave what the view shows as it was saved.
      { id: view?.id, body: bodyOf(view ? searchOf(view) : search, name, scope, application ?? '') },
      {
        onSuccess: (saved) => {
          notifications.show({ message: words.saved(saved.name) });
          if (!view) onSaved(saved);
          onClose();
        },
      },
    );
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput label={words.name} required maxLength={200} data-autofocus value={name} onChange={(e) => setName(e.currentTarget.value)} />
        <Radio.Group label={words.scope} value={scope} onChange={setScope}>
          <Stack gap={6} mt={6}>
            {offered.map((s) => (
              <Radio key={s} value={s} label={scopeWord(s)} />
            ))}
          </Stack>
        </Radio.Group>
        {scope === 'unit' && <Select label={words.application} required searchable data={(applications.data ?? []).map((a) => a.name)} value={application} onChange={setApplication} />}
        {save.isError && <Fault error={save.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {text.shell.cancel}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={name.trim() === '' || (scope === 'unit' && application === null)}>
            {text.shell.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function scopeWord(scope: string): string {
  const words = text.findings.views;
  return scope === 'unit' ? words.unit : scope === 'everyone' ? words.everyone : words.mine;
}
