import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { exportAddress, exportFormats } from '../../api/findings';
import { text } from '../../text';

/** Downloads exactly what the filter finds, in the order of the list. */
export function ExportMenu({ filter, sort, count }: { filter: string; sort: string | undefined; count: string }) {
  const words = text.findings.export;
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
          {words.label}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{words.help(count)}</Menu.Label>
        {exportFormats.map((format) => (
          <Menu.Item key={format} component="a" href={exportAddress(filter, sort, format)} download>
            {words[format]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
