import { Button, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { AssetRelation } from '../../api/assets';
import { number } from '../../lib/time';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import classes from './assets.module.css';
import { grouped, type Relations } from './related';

const shown = 15;

/** What an asset is related to, both ways; each other end is a link. */
export function RelationsOf({ relations }: { relations: AssetRelation[] }) {
  const groups = grouped(relations);
  if (groups.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {text.assets.relationsEmpty}
      </Text>
    );
  }
  return (
    <Stack gap="md">
      {groups.map((group) => (
        <Group key={group.kind + group.out} group={group} />
      ))}
    </Stack>
  );
}

function Group({ group: { kind, out, others } }: { group: Relations }) {
  const words = text.assets;
  const [all, setAll] = useState(false);
  const edge = words.edges[kind];
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        {edge ? edge[out ? 0 : 1] : kind}{' '}
        <Text span c="dimmed" inherit fw={400}>
          {number(others.length)}
        </Text>
      </Title>
      <ul className={classes.list}>
        {(all ? others : others.slice(0, shown)).map((relation, i) => (
          <li key={relation.other?.key ?? i} className={classes.related}>
            {relation.other ? (
              <>
                <Text size="xs" c="dimmed" span>
                  {words.kinds[relation.other.kind] ?? relation.other.kind}
                </Text>
                {relation.other_id ? (
                  <AnchorLink size="sm" to="/assets/$id" params={{ id: relation.other_id }}>
                    {relation.other.key}
                  </AnchorLink>
                ) : (
                  <Text size="sm" span>
                    {relation.other.key}
                  </Text>
                )}
              </>
            ) : (
              <Text size="sm" c="dimmed" span>
                {words.unseen}
              </Text>
            )}
            {relation.confidence !== undefined && relation.confidence < 100 && (
              <Text size="xs" c="dimmed" span>
                {words.confidence(relation.confidence)}
              </Text>
            )}
          </li>
        ))}
      </ul>
      {!all && others.length > shown && (
        <Button size="compact-sm" variant="subtle" mt={4} onClick={() => setAll(true)}>
          {words.showAll(others.length)}
        </Button>
      )}
    </div>
  );
}
