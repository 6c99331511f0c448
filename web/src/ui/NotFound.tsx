import { Anchor } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { text } from '../text';
import { Empty } from './Empty';

export function NotFound() {
  const words = text.shell.error;
  return (
    <Empty icon={IconMapOff} title={words.notFound} action={<Anchor href="/findings">{words.home}</Anchor>}>
      {words.notFoundHelp}
    </Empty>
  );
}
