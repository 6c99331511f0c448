import { Button, Checkbox, Popover, Stack } from '@mantine/core';
import { IconColumns3 } from '@tabler/icons-react';
import { text } from '../../text';
import { columnNames, columns, usual, type Column, type ColumnID } from './columns';

/** Chooses which columns the list has. */
export function ColumnMenu({ shown, onChange }: { shown: Column[]; onChange: (names: string | undefined) => void }) {
  const words = text.findings.columns;
  const ids = shown.map((c) => c.id);
  const toggle = (id: ColumnID) => onChange(columnNames(ids.includes(id) ? ids.filter((c) => c !== id) : [...ids, id]));
  return (
    <Popover position="bottom-end" trapFocus returnFocus shadow="md">
      <Popover.Target>
        <Button size="xs" variant="default" leftSection={<IconColumns3 size={16} aria-hidden />}>
          {words.choose}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={words.choose}>
        <Stack gap={8}>
          {columns
            .filter((c) => c.id !== 'title')
            .map((c) => (
              <Checkbox key={c.id} size="xs" label={words[c.id]} checked={ids.includes(c.id)} onChange={() => toggle(c.id)} />
            ))}
          <Button size="compact-xs" variant="subtle" onClick={() => onChange(columnNames(usual))}>
            {words.reset}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
