import { expect, test } from 'vitest';
import { lines } from './lines';

test('lines come whole, wherever the bytes were cut', async () => {
  const bytes = new TextEncoder().encode('{"a":1}\n\n{"b":"ü"}\nlast');
  const cut = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < bytes.length; i += 3) controller.enqueue(bytes.slice(i, i + 3));
      controller.close();
    },
  });
  const got: string[] = [];
  for await (const line of lines(cut)) got.push(line);
  expect(got).toEqual(['{"a":1}', '{"b":"ü"}', 'last']);
});
