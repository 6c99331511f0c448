import { IconAlertTriangle, IconCircleCheck, IconCircleMinus, IconClockExclamation, IconFlagOff, IconHelpHexagon, type Icon } from '@tabler/icons-react';
import { text } from '../../text';
import classes from './coverage.module.css';
import type { Standing } from './streams';

const icons: Record<string, Icon> = {
  none: IconCircleCheck,
  current: IconCircleCheck,
  overdue: IconClockExclamation,
  stale: IconClockExclamation,
  never: IconHelpHexagon,
  failed: IconAlertTriangle,
  not_required: IconCircleMinus,
  ended: IconFlagOff,
};

/** What is missing, or that nothing is: icon, colour and word. */
export function GapMark({ gap }: { gap: string }) {
  return <Mark name={gap} word={text.coverage.gaps[gap] ?? gap} />;
}

/** Where a stream stands. */
export function StandingMark({ standing, ended }: { standing: Standing; ended: string | undefined }) {
  const words = text.coverage.stream;
  return <Mark name={standing} word={standing === 'ended' ? (words.ended[ended ?? ''] ?? ended ?? '') : words[standing]} />;
}

function Mark({ name, word }: { name: string; word: string }) {
  const Shape = icons[name] ?? IconCircleMinus;
  return (
    <span className={classes.gap} data-gap={name}>
      <Shape size={16} aria-hidden />
      {word}
    </span>
  );
}
