import { Anchor } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { text } from '../text';
import { Empty } from './Empty';

/** A page that somebody's role does not reach, told before the server has to. */
export function Denied() {
  const words = text.shell.error;
  return (
    <Empty icon={IconLock} title={words.denied} action={<Anchor href="/findings">{words.home}</Anchor>}>
      {words.deniedHelp}
    </Empty>
  );
}
