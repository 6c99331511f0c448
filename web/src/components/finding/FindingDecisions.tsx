import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import type { FindingDetail } from '../../api/findings';
import { text } from '../../text';
import { Time } from '../../ui/Time';
import { useTakeBack } from './DecisionDialog';
import classes from './FindingDetail.module.css';
import { Section } from './Section';

/** What was decided, the newest first; what stands can be taken back. */
export function Decisions({ f, onDecide }: { f: FindingDetail; onDecide: boolean }) {
  const words = text.findings.detail;
  const takeBack = useTakeBack();
  const list = [...(f.decisions ?? [])].reverse();
  if (list.length === 0 && f.decision) list.push(f.decision); // the tool's own word
  return (
    <Section title={words.decisions}>
      {list.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.none} {onDecide && words.scopePreview(1, f.presences.length)}
        </Text>
      ) : (
        <ol className={classes.events}>
          {list.map((d, i) => {
            const stands = f.decision !== undefined && d.seq === f.decision.seq && d.verdict === f.decision.verdict;
            const who = d.by_name ?? (d.by === 'tool' ? words.toolWord : d.by === 'system' ? words.system : d.by);
            return (
              <li key={i} className={classes.event} data-person={(d.by !== 'tool' && d.by !== 'system') || undefined}>
                <div className={classes.eventHead}>
                  <strong>{d.verdict ? (text.findings.decide.verdicts[d.verdict] ?? d.verdict) : words.fell}</strong>
                  {stands && (
                    <Badge size="sm" variant="light" tt="none">
                      {words.stands}
                    </Badge>
                  )}
                  {d.undone_by && (
                    <Badge size="sm" variant="light" color="gray" tt="none">
                      {words.undone}
                    </Badge>
                  )}
                  <span className={classes.dim}>{words.by(who)}</span>
                  {d.at && (
                    <span className={classes.dim}>
                      <Time at={d.at} />
                    </span>
                  )}
                  {d.until && (
                    <span className={classes.dim}>
                      {words.untilAt} <Time at={d.until} />
                    </span>
                  )}
                  {d.owner && <span className={classes.dim}>{words.ownerIs(d.owner)}</span>}
                </div>
                <Stack gap={4}>
                  {d.reason && <Text size="sm">{d.reason}</Text>}
                  {onDecide && stands && d.id && (
                    <Group>
                      <Button size="compact-xs" variant="default" onClick={() => takeBack(d.id!)}>
                        {text.findings.decide.undo}
                      </Button>
                    </Group>
                  )}
                </Stack>
              </li>
            );
          })}
        </ol>
      )}
    </Section>
  );
}
