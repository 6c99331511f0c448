import { describe, expect, test } from 'vitest';
import { command, focusOf, type Focus, type Press } from './keyboard';

const press = (key: string, more: Partial<Press> = {}): Press => ({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

describe('keys', () => {
  test.each<[string, Partial<Press>, Focus, string | null]>([
    ['j', {}, 'page', 'down'],
    ['j', {}, 'own', null],
    ['j', { ctrlKey: true }, 'page', null],
    ['K', { shiftKey: true }, 'page', 'extendUp'],
    ['/', {}, 'grid', 'filter'],
    ['Enter', {}, 'page', null], // a button has the focus
    ['Enter', {}, 'grid', 'open'],
    [' ', {}, 'page', null],
    [' ', { shiftKey: true }, 'grid', 'range'],
    ['ArrowDown', { shiftKey: true }, 'grid', 'extendDown'],
    ['Escape', {}, 'page', 'close'],
    ['k', { metaKey: true }, 'page', null],
  ])('%s %o on %s', (key, more, focus, want) => {
    expect(command(press(key, more), focus)).toBe(want);
  });
});

test('where one writes, keys are letters', () => {
  document.body.innerHTML = '<div id="g" tabindex="0"><input type="checkbox" id="c"></div><input id="i"><div role="dialog"><button id="d"></button><div data-keys="list"><button id="p"></button><textarea id="t"></textarea></div></div><button id="b"></button>';
  const by = (id: string) => document.getElementById(id)!;
  expect(['g', 'c', 'i', 'd', 'p', 't', 'b'].map((id) => focusOf(by(id), by('g')))).toEqual(['grid', 'page', 'own', 'own', 'page', 'own', 'page']);
  expect(focusOf(null, null)).toBe('page');
});
