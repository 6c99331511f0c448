import { expect, test } from 'vitest';
import { EventReader } from './events';

test('events come out once, when they are whole', () => {
  const reader = new EventReader();
  let text = 'event: progress\ndata: {"done":';
  expect(reader.push(text)).toEqual([]);
  text += '1}\n\nevent: accepted\n';
  expect(reader.push(text)).toEqual([{ name: 'progress', data: '{"done":1}' }]);
  text += 'data: {}\n\n: a comment\n\ndata: a\ndata: b\n\n';
  expect(reader.push(text)).toEqual([
    { name: 'accepted', data: '{}' },
    { name: 'message', data: 'a\nb' },
  ]);
  expect(reader.push(text)).toEqual([]);
});
