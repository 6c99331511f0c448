import { Tooltip } from '@mantine/core';
import { IconBan, IconCircle, IconCircleCheck, IconCircleDot, IconCircleDotted, IconEyeOff, IconProgress, IconShieldHalf, IconTrash, type Icon } from '@tabler/icons-react';
import { text } from '../../text';
import classes from './State.module.css';

const icons: Record<string, Icon> = {
  open: IconCircle,
  observed: IconCircle,
  triaged: IconCircleDot,
  in_progress: IconProgress,
  accepted: IconShieldHalf,
  false_positive: IconBan,
  fixed: IconCircleCheck,
  not_observed: IconCircleDotted,
  scope_lost: IconEyeOff,
  gone: IconTrash,
};

/** The state of a finding, or of one in one place: icon and word, and what it means on hover. */
export function StateBadge({ state, help }: { state: string; help?: string }) {
  const words = text.findings;
  const Mark = icons[state] ?? IconCircle;
  return (
    <Tooltip label={help ?? words.stateHelp[state]} disabled={!(help ?? words.stateHelp[state])} openDelay={400}>
      <span className={classes.state} data-state={state}>
        <Mark size={14} aria-hidden />
        <span>{words.state[state] ?? words.presence[state] ?? state}</span>
      </span>
    </Tooltip>
  );
}
