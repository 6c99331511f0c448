import { ActionIcon, Combobox, Text, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconFilter, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useId, useRef, useState, type RefObject } from 'react';
import { completeQuery, type Suggestion } from '../../api/filter';
import type { Problem } from '../../api/client';
import { faultAt } from '../../lib/filter';
import { text } from '../../text';
import classes from './FilterBar.module.css';
import { recentFilters, rememberFilter } from './recent';

/**
 * The filter as text, with completion at the cursor, the filters used last, and
 * the place of a mistake underlined. It applies on Enter, on leaving the field and
 * when a value is chosen.
 */
export function FilterBar({ filter, apply, problem, input }: { filter: string; apply: (filter: string) => void; problem: Problem | null; input: RefObject<HTMLInputElement | null> }) {
  const words = text.findings.filter;
  const [draft, setDraft] = useState(filter);
  const [cursor, setCursor] = useState(filter.length);
  const [shown, setShown] = useState(filter);
  if (shown !== filter) {
    // The address changed: by what was written here, or by a facet, a view, or going back.
    setShown(filter);
    if (draft.trim() !== filter) {
      setDraft(filter);
      setCursor(filter.length);
    }
  }
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const [asked] = useDebouncedValue(`${cursor}:${draft}`, 120);
  const completion = useQuery({ ...completeQuery(draft, cursor), enabled: box.dropdownOpened && asked === `${cursor}:${draft}` });
  const recent = draft.trim() === '' && box.dropdownOpened ? recentFilters(window.localStorage) : [];
  const suggestions = (completion.data ?? []).filter((s) => s.end <= draft.length && draft.slice(s.start, s.end) !== s.text).slice(0, 30);

  const backdrop = useRef<HTMLDivElement>(null);
  const follow = () => {
    if (backdrop.current && input.current) backdrop.current.scrollLeft = input.current.scrollLeft;
  };
  useEffect(follow);

  const commit = (wanted: string) => {
    const used = wanted.trim();
    if (used === filter) return;
    rememberFilter(window.localStorage, used);
    apply(used);
  };
  const take = (s: Suggestion) => {
    const goesOn = s.text.endsWith(':');
    const before = draft.slice(0, s.start) + s.text + (goesOn ? '' : ' ');
    const after = draft.slice(s.end).trimStart();
    setDraft(before + after);
    setCursor(before.length);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(before.length, before.length);
    });
    if (goesOn) return;
    box.closeDropdown();
    commit(before + after);
  };
  const choose = (value: string) => {
    const [kind, at] = [value.slice(0, 1), Number(value.slice(1))];
    if (kind === 'r') {
      setDraft(recent[at] ?? '');
      box.closeDropdown();
      commit(recent[at] ?? '');
    } else if (suggestions[at]) take(suggestions[at]);
  };

  const help = useId();
  const fault = problem && draft.trim() === filter.trim() ? problem : null;
  const place = fault ? faultAt(draft, fault.where) : null;
  return (
    <form
      role="search"
      aria-label={words.label}
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        box.closeDropdown();
        commit(draft);
      }}
    >
      <Combobox store={box} onOptionSubmit={choose} withinPortal={false} shadow="md" position="bottom-start">
        <Combobox.Target withExpandedAttribute>
          <TextInput
            ref={input}
            role="combobox"
            aria-label={words.label}
            aria-describedby={fault ? help : undefined}
            aria-invalid={fault ? true : undefined}
            placeholder={words.placeholder}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            autoCorrect="off"
            maxLength={8192}
            error={fault ? true : undefined}
            withErrorStyles
            leftSection={<IconFilter size={16} aria-hidden />}
            rightSection={
              draft !== '' && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="sm"
                  aria-label={words.clear}
                  onClick={() => {
                    setDraft('');
                    setCursor(0);
                    commit('');
                    input.current?.focus();
                    box.openDropdown();
                  }}
                >
                  <IconX size={16} />
                </ActionIcon>
              )
            }
            classNames={{ input: classes.input, wrapper: classes.wrapper }}
            inputContainer={(children) => (
              <div className={classes.container}>
                {children}
                <div ref={backdrop} className={classes.backdrop} aria-hidden>
                  {place && (
                    <>
                      {draft.slice(0, place.start)}
                      <span className={classes.fault}>{draft.slice(place.start, place.end) || '\u00a0'}</span>
                      {draft.slice(place.end)}
                    </>
                  )}
                </div>
              </div>
            )}
            value={draft}
            onChange={(event) => {
              setDraft(event.currentTarget.value);
              setCursor(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
              box.openDropdown();
              box.resetSelectedOption();
            }}
            onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? draft.length)}
            onScroll={follow}
            onFocus={() => draft.trim() === '' && box.openDropdown()}
            onClick={() => box.openDropdown()}
            onBlur={() => {
              box.closeDropdown();
              commit(draft);
            }}
            onKeyDown={(event) => {
              if (event.key !== 'Escape') return;
              event.stopPropagation();
              if (!box.dropdownOpened) input.current?.blur();
            }}
          />
        </Combobox.Target>
        <Combobox.Dropdown hidden={recent.length + suggestions.length === 0} className={classes.dropdown}>
          <Combobox.Options aria-label={words.suggestions} mah={340} className={classes.options}>
            {recent.length > 0 && (
              <Combobox.Group label={words.recent}>
                {recent.map((f, i) => (
                  <Combobox.Option key={f} value={`r${i}`} className={classes.option}>
                    <span className={classes.code}>{f}</span>
                  </Combobox.Option>
                ))}
              </Combobox.Group>
            )}
            {suggestions.length > 0 && (
              <Combobox.Group label={words.suggestions}>
                {suggestions.map((s, i) => (
                  <Combobox.Option key={s.text} value={`s${i}`} className={classes.option}>
                    <span className={classes.code}>{s.text}</span>
                    {s.doc && <span className={classes.doc}>{s.doc}</span>}
                  </Combobox.Option>
                ))}
              </Combobox.Group>
            )}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {fault && (
        <Text id={help} role="alert" size="sm" c="var(--mantine-color-error)" mt={4}>
          {place ? words.fault(fault.detail, place.start + 1) : fault.detail}
          {fault.next && <>. {words.next(fault.next)}</>}
        </Text>
      )}
    </form>
  );
}
