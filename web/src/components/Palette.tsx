import { Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { IconSearch } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { Session } from '../api/session';
import { text } from '../text';
import { destinations } from './Shell';

/** Ctrl-K: go to a page, or search findings. */
export function Palette({ session }: { session: Session }) {
  const navigate = useNavigate();
  const [query, setQuery] = useState('');
  const words = text.shell.palette;
  const actions: SpotlightActionData[] = destinations(session)
    .filter((d) => d.label.toLowerCase().includes(query.trim().toLowerCase()))
    .map(({ to, label, icon: Icon }) => ({ id: to, label, leftSection: <Icon size={20} aria-hidden />, onClick: () => void navigate({ to }) }));
  const wanted = query.trim();
  if (wanted !== '') {
    actions.push({
      id: 'search',
      label: words.searchFindings(wanted),
      leftSection: <IconSearch size={20} aria-hidden />,
      onClick: () => void navigate({ to: '/findings', search: { tab: 'all', filter: wanted } }),
    });
  }
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      filter={(_, all) => all}
      shortcut="mod + K"
      nothingFound={words.nothing}
      searchProps={{ leftSection: <IconSearch size={20} aria-hidden />, placeholder: words.placeholder, 'aria-label': words.placeholder }}
    />
  );
}
