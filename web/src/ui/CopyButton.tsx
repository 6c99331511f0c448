import { ActionIcon, CopyButton as Copy, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy, type Icon } from '@tabler/icons-react';
import { text } from '../text';

/** Copies a text. Says that it did, to the eye and to those who listen. */
export function CopyButton({ value, label, icon: Mark = IconCopy }: { value: string; label: string; icon?: Icon }) {
  return (
    <Copy value={value} timeout={2000}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? text.shell.error.copied : label}>
          <ActionIcon variant="subtle" color="gray" size={26} style={{ verticalAlign: 'middle' }} aria-label={copied ? text.shell.error.copied : label} onClick={copy}>
            {copied ? <IconCheck size={16} /> : <Mark size={16} />}
          </ActionIcon>
        </Tooltip>
      )}
    </Copy>
  );
}
