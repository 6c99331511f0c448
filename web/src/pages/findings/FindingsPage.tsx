import { Button, Drawer, Group, NativeSelect, Stack, Text, Title, Tooltip, ActionIcon } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconAdjustmentsHorizontal, IconFilterExclamation, IconKeyboard } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';
import { ApiError } from '../../api/client';
import type { About } from '../../api/decisions';
import { countsQuery, findingsQuery, groupings } from '../../api/findings';
import { isSomewhere, useSession } from '../../api/session';
import { viewsQuery } from '../../api/views';
import { FilterBar } from '../../components/filter/FilterBar';
import { Facets } from '../../components/filter/Facets';
import { BulkBar } from '../../components/finding/BulkBar';
import { ColumnMenu } from '../../components/finding/ColumnMenu';
import { columnsOf } from '../../components/finding/columns';
import { DecisionDialog } from '../../components/finding/DecisionDialog';
import { ExportMenu } from '../../components/finding/ExportMenu';
import { FindingCards } from '../../components/finding/FindingCards';
import { FindingEmpty } from '../../components/finding/FindingEmpty';
import { FindingGrid, type Rows } from '../../components/finding/FindingGrid';
import { FindingGroups } from '../../components/finding/FindingGroups';
import { FindingPanel } from '../../components/finding/FindingPanel';
import { LinkDialog } from '../../components/finding/LinkDialog';
import { KeysHelp } from '../../components/finding/KeysHelp';
import { ListWaiting } from '../../components/finding/ListWaiting';
import { everything, extended, nothing, toggled, toggledAll, type Selection } from '../../components/finding/selection';
import { Views } from '../../components/finding/Views';
import { asksNothing, firstView, searchOf } from '../../components/finding/views';
import { Onboarding } from '../../components/Onboarding';
import { both } from '../../lib/filter';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import classes from './FindingsPage.module.css';
import type { FindingsSearch } from './search';
import { Tabs } from './Tabs';
import { useKeys } from './useKeys';

const route = getRouteApi('/findings');

/** What the tab Priority stands for. */
export const priority = 'is:open severity:>=high';

const sorts = ['-severity', 'severity', '-first_seen', 'first_seen', '-last_seen', 'last_seen', '-since', 'since', 'title', '-title'];

/** The list of findings: what is shown stands in the address. */
export function FindingsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const session = useSession();
  const words = text.findings;
  useEffect(() => {
    document.title = `${words.title} · ${text.shell.product}`;
  }, [words.title]);

  // The view that this browser begins with is looked up before anything is shown.
  const [first, setFirst] = useState(() => (asksNothing(search) ? firstView(window.localStorage) : null));
  const views = useQuery({ ...viewsQuery, enabled: first !== null });
  const beginning = first === null ? undefined : views.data?.items.find((v) => v.id === first);
  if (first !== null && (!asksNothing(search) || (!views.isPending && !beginning))) setFirst(null);
  useEffect(() => {
    if (beginning) void navigate({ search: searchOf(beginning), replace: true });
  }, [beginning, navigate]);

  if (!isSomewhere(session, 'viewer')) {
    return (
      <Stack p="md">
        <Title order={1} size="h3">
          {words.title}
        </Title>
        <FindingEmpty filter="" priority={false} apply={() => undefined} showAll={() => undefined} />
      </Stack>
    );
  }
  if (first !== null) {
    return (
      <Stack p="md">
        <Title order={1} size="h3">
          {words.title}
        </Title>
        <ListWaiting />
      </Stack>
    );
  }
  return <List search={search} mayDecide={isSomewhere(session, 'developer')} show={(next) => void navigate({ search: next })} />;
}

function List({ search, mayDecide, show }: { search: FindingsSearch; mayDecide: boolean; show: (search: FindingsSearch) => void }) {
  const words = text.findings;
  const wide = useMediaQuery('(min-width: 48em)', undefined, { getInitialValueInEffect: false });
  const beside = useMediaQuery('(min-width: 75em)', undefined, { getInitialValueInEffect: false });
  const veryWide = useMediaQuery('(min-width: 120em)', undefined, { getInitialValueInEffect: false });
  const filter = search.filter ?? '';
  const base = search.tab === 'all' ? '' : priority;
  const effective = both(filter, base);
  const sort = search.sort;
  const by = groupings.find((g) => g === search.group);
  const open = search.open;
  const facetsBeside = beside && (open === undefined || veryWide);

  const findings = useInfiniteQuery({ ...findingsQuery(effective, sort), enabled: by === undefined });
  const counts = useQuery(countsQuery(effective));
  const rows = useMemo(() => findings.data?.pages.flatMap((p) => p.items) ?? [], [findings.data]);
  const ids = useMemo(() => rows.map((f) => f.id), [rows]);
  const total = counts.data?.total;
  const capped = counts.data?.capped ?? false;
  const count = total === undefined ? '…' : capped ? text.shell.capped(number(total)) : number(total);

  const refused = by === undefined ? findings.error : counts.error;
  const problem = refused instanceof ApiError && refused.problem.where?.startsWith('filter') ? refused.problem : null;

  // What is selected belongs to one filter.
  const [selection, setSelection] = useState<Selection>(nothing);
  const [of, setOf] = useState(effective);
  if (of !== effective) {
    setOf(effective);
    setSelection(nothing);
  }
  const [active, setActive] = useState<string | null>(open ?? null);
  const [reveal, setReveal] = useState(0);
  const [take, setTake] = useState(false);
  const [deciding, setDeciding] = useState<About | null>(null);
  const [joining, setJoining] = useState<string[] | null>(null);
  const [help, setHelp] = useState(false);
  const [facets, setFacets] = useState(false);
  const grid = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const panel = useRef<HTMLDivElement>(null);

  const change = (more: Partial<FindingsSearch>) => show({ ...search, ...more });
  const apply = (next: string) => change({ filter: next.trim() || undefined, open: undefined });
  const openOne = (id: string, focus = true) => {
    setActive(id);
    setTake(focus);
    change({ open: id });
  };
  const close = () => {
    change({ open: undefined });
    requestAnimationFrame(() => grid.current?.focus({ preventScroll: true }));
  };
  const toggle = (id: string, range: boolean) => {
    setActive(id);
    setSelection((s) => (range ? extended(s, ids, id) : toggled(s, id)));
  };
  const goTo = (index: number) => {
    const id = ids[Math.max(0, Math.min(index, ids.length - 1))];
    if (id === undefined) return;
    setActive(id);
    setReveal((n) => n + 1);
    if (index >= ids.length - 1 && findings.hasNextPage) void findings.fetchNextPage();
    if (open !== undefined) {
      setTake(panel.current?.contains(document.activeElement) ?? false);
      change({ open: id });
    } else grid.current?.focus({ preventScroll: true });
  };
  const at = active === null ? -1 : ids.indexOf(active);
  const decideOn = () => {
    if (!mayDecide) return;
    const one = open ?? active;
    if (selection.all) setDeciding({ filter: effective });
    else if (selection.ids.size > 0) setDeciding({ findings: [...selection.ids] });
    else if (one) setDeciding({ findings: [one] });
  };
  useKeys(grid, (does) => {
    const page = Math.max(1, Math.floor((grid.current?.clientHeight ?? 500) / 50) - 2);
    const steps: Partial<Record<typeof does, number>> = { down: at + 1, up: at - 1, first: 0, last: ids.length - 1, pageDown: at + page, pageUp: at - page };
    const step = steps[does];
    if (step !== undefined) {
      if (by === undefined && ids.length > 0) goTo(step);
      return by === undefined && ids.length > 0;
    }
    switch (does) {
      case 'filter':
        input.current?.focus();
        input.current?.select();
        return true;
      case 'extendDown':
      case 'extendUp': {
        const to = ids[Math.max(0, Math.min(does === 'extendDown' ? at + 1 : at - 1, ids.length - 1))];
        if (!mayDecide || by !== undefined || to === undefined) return false;
        setSelection((s) => extended(s.anchor === null && active !== null ? toggled(s, active) : s, ids, to));
        goTo(ids.indexOf(to));
        return true;
      }
      case 'select':
      case 'range':
        if (!mayDecide || at < 0) return false;
        toggle(ids[at]!, does === 'range');
        return true;
      case 'open':
        if (at < 0) return false;
        openOne(ids[at]!);
        return true;
      case 'decide':
        decideOn();
        return true;
      case 'help':
        setHelp(true);
        return true;
      case 'close':
        if (open !== undefined) close();
        else if (selection.ids.size > 0 || selection.all) setSelection(nothing);
        else return false;
        return true;
      default:
        return false;
    }
  });

  const shownColumns = columnsOf(search.columns);
  const columns = open !== undefined && beside ? shownColumns.filter((c) => c.id === 'severity' || c.id === 'title' || c.id === 'state') : shownColumns;
  const loadMore = useRef(() => undefined as void);
  useEffect(() => {
    loadMore.current = () => void findings.fetchNextPage();
  });
  const list: Rows = {
    rows,
    total: capped ? undefined : total,
    hasMore: findings.hasNextPage,
    loadMore: useMemo(() => () => loadMore.current(), []),
    loadingMore: findings.isFetchingNextPage,
    error: findings.data ? findings.error : null,
  };
  const empty = <FindingEmpty filter={filter} priority={base !== ''} apply={apply} showAll={() => change({ tab: 'all' })} />;
  const detail = open !== undefined && (
    <FindingPanel
      id={open}
      take={take}
      onClose={close}
      onDecide={(id) => setDeciding({ findings: [id] })}
      onNext={by === undefined && at >= 0 && (at < ids.length - 1 || findings.hasNextPage) ? () => goTo(at + 1) : null}
      onPrevious={by === undefined && at > 0 ? () => goTo(at - 1) : null}
    />
  );
  const openFromList = useRef(openOne);
  const toggleFromList = useRef(toggle);
  useEffect(() => {
    openFromList.current = openOne;
    toggleFromList.current = toggle;
  });
  const onOpen = useMemo(() => (id: string) => openFromList.current(id), []);
  const onToggle = useMemo(() => (id: string, range: boolean) => toggleFromList.current(id, range), []);

  let content;
  if (problem) {
    content = (
      <Empty icon={IconFilterExclamation} title={words.filter.unreadable}>
        {words.filter.unreadableHelp}
      </Empty>
    );
  } else if (by !== undefined) {
    content = (
      <div className={classes.scroll} tabIndex={-1}>
        <FindingGroups
          filter={effective}
          by={by}
          sort={sort}
          open={open}
          onOpen={onOpen}
          onList={(of) => change({ tab: 'all', filter: of, group: undefined, open: undefined })}
          onDecide={mayDecide ? (of) => setDeciding({ filter: of }) : null}
          empty={empty}
        />
      </div>
    );
  } else if (findings.isPending) content = <ListWaiting />;
  else if (findings.isError && !findings.data) content = <Fault error={findings.error} retry={() => void findings.refetch()} />;
  else if (rows.length === 0) content = empty;
  else if (wide) {
    content = (
      <FindingGrid
        list={list}
        columns={columns}
        sort={sort}
        onSort={(next) => change({ sort: next })}
        selection={selection}
        selectable={mayDecide}
        active={active}
        open={open}
        onOpen={onOpen}
        onToggle={onToggle}
        onToggleAll={() => setSelection((s) => toggledAll(s, ids))}
        grid={grid}
        reveal={reveal}
      />
    );
  } else content = <FindingCards list={list} selection={selection} selectable={mayDecide} onOpen={onOpen} onToggle={onToggle} />;

  const side = <Facets filter={filter} base={base} apply={apply} />;
  return (
    <div className={classes.page} data-wide={wide || undefined}>
      <div className={classes.head}>
        <Title order={1} size="h3">
          {words.title}
        </Title>
        <Tabs search={search} filter={filter} refused={problem !== null} />
        <Group gap="xs" className={classes.actions}>
          <Views search={search} show={show} />
          <NativeSelect
            size="xs"
            className={classes.choice}
            aria-label={words.group.label}
            data={[{ value: '', label: words.group.none }, ...groupings.map((g) => ({ value: g, label: words.group[g] }))]}
            value={by ?? ''}
            onChange={(e) => change({ group: e.currentTarget.value || undefined, open: undefined })}
          />
          {(!wide || by !== undefined) && (
            <NativeSelect size="xs" className={classes.choice} aria-label={words.sort.label} data={sorts.map((s) => ({ value: s, label: words.sort[s] ?? s }))} value={sort ?? '-severity'} onChange={(e) => change({ sort: e.currentTarget.value === '-severity' ? undefined : e.currentTarget.value })} />
          )}
          {wide && by === undefined && <ColumnMenu shown={shownColumns} onChange={(names) => change({ columns: names })} />}
          <ExportMenu filter={effective} sort={sort} count={count} />
          {wide && (
            <Tooltip label={words.keys.open}>
              <ActionIcon variant="default" size={30} aria-label={words.keys.open} onClick={() => setHelp(true)}>
                <IconKeyboard size={18} />
              </ActionIcon>
            </Tooltip>
          )}
        </Group>
      </div>
      <Onboarding />
      <div className={classes.bar}>
        <FilterBar filter={filter} apply={apply} problem={problem} input={input} />
        {!facetsBeside && (
          <Button variant="default" px={wide ? undefined : 'xs'} leftSection={wide && <IconAdjustmentsHorizontal size={16} aria-hidden />} aria-label={words.facets.open} onClick={() => setFacets(true)}>
            {wide ? words.facets.open : <IconAdjustmentsHorizontal size={18} aria-hidden />}
          </Button>
        )}
      </div>
      <Group justify="space-between" gap="xs" mih={20}>
        <Text size="sm" c="dimmed" role="status">
          {problem ? '' : counts.isPending ? text.shell.state.loading : words.count(count)}
          {findings.isPlaceholderData && <> · {words.list.stale}</>}
        </Text>
        {(findings.data?.pages[0]?.notes ?? []).map((note) => (
          <Text key={note} size="sm" c="dimmed">
            {note}
          </Text>
        ))}
      </Group>
      <div className={classes.body}>
        {facetsBeside && (
          <aside className={classes.side} aria-label={words.facets.title}>
            {!problem && side}
          </aside>
        )}
        <div className={classes.list} data-stale={findings.isPlaceholderData || undefined}>
          {content}
          {mayDecide && by === undefined && (
            <BulkBar
              selection={selection}
              loaded={rows.length}
              total={total}
              capped={capped}
              onAll={() => setSelection(everything)}
              onDecide={decideOn}
              onJoin={setJoining}
              onClear={() => {
                setSelection(nothing);
                grid.current?.focus();
              }}
            />
          )}
        </div>
        {beside && detail && (
          <aside ref={panel} className={classes.panel} aria-label={words.panel.label}>
            {detail}
          </aside>
        )}
      </div>
      {!beside && (
        <Drawer.Root opened={detail !== false} onClose={close} closeOnEscape={false} position="right" size={wide ? 620 : '100%'}>
          <Drawer.Overlay />
          <Drawer.Content aria-label={words.panel.label}>
            <div ref={panel} className={classes.drawer}>
              {detail}
            </div>
          </Drawer.Content>
        </Drawer.Root>
      )}
      {!facetsBeside && (
        <Drawer opened={facets} onClose={() => setFacets(false)} title={words.facets.title} size={320} closeButtonProps={{ 'aria-label': text.shell.close }}>
          {!problem && side}
          <Button fullWidth mt="md" onClick={() => setFacets(false)}>
            {words.facets.show(count)}
          </Button>
        </Drawer>
      )}
      <DecisionDialog about={deciding} onClose={() => setDeciding(null)} onDone={() => setSelection(nothing)} />
      <LinkDialog
        about={joining && { link: { kind: 'same', findings: joining }, about: text.dedup.dialog.about.same(joining.length) }}
        onClose={() => setJoining(null)}
        onDone={() => setSelection(nothing)}
      />
      <KeysHelp opened={help} onClose={() => setHelp(false)} />
    </div>
  );
}
