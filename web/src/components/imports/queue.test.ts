import { describe, expect, test } from 'vitest';
import { ApiError, type Problem } from '../../api/client';
import type { Declared, Detected, ImportInfo, Watcher } from '../../api/imports';
import { percent, Queue, ready } from './queue';

/** A world whose answers the test gives. */
function world() {
  const detecting: { file: File; answer: (d: Detected) => void; fail: (e: unknown) => void }[] = [];
  const uploads: { name: string; declared: Declared; key: string; tell: Watcher; stopped: boolean }[] = [];
  let changes = 0;
  const queue = new Queue({
    detect: (file) => new Promise((answer, fail) => detecting.push({ file, answer, fail })),
    upload: (_, name, declared, key, tell) => {
      const upload = { name, declared, key, tell, stopped: false };
      uploads.push(upload);
      return () => {
        upload.stopped = true;
      };
    },
    changed: () => changes++,
  });
  queue.belongTo('ada');
  return { queue, detecting, uploads, changes: () => changes };
}

const file = (name: string, content = '0123456789') => ({ name, file: new File([content], name, { lastModified: 1 }) });
const sarif: Detected = { format: 'sarif', name: 'SARIF', certain: false, candidates: [{ id: 'sarif', name: 'SARIF' }] };
const problem = (p: Partial<Problem>) => ({ code: 'invalid', status: 400, title: '', detail: 'bad', request_id: 'r', ...p }) as Problem;
const info = { id: 's1' } as ImportInfo;
const phases = (queue: Queue) => queue.list().map((i) => `${i.name} ${i.phase}`);
const turn = () => Promise.resolve().then(() => undefined);

async function staged(...names: string[]) {
  const w = world();
  w.queue.add(names.map((n) => file(n)));
  for (let i = 0; i < names.length; i++) {
    w.detecting[i]!.answer(sarif);
    await turn();
  }
  return w;
}

describe('queue', () => {
  test('two are recognised at a time', async () => {
    const w = world();
    w.queue.add([file('a'), file('b'), file('c')]);
    expect(w.detecting.map((d) => d.file.name)).toEqual(['a', 'b']);
    w.detecting[0]!.answer(sarif);
    await turn();
    expect(w.detecting.map((d) => d.file.name)).toEqual(['a', 'b', 'c']);
    expect(phases(w.queue)).toEqual(['a staged', 'b detecting', 'c detecting']);
  });

  test('a file that was dropped twice is there once', () => {
    const w = world();
    w.queue.add([file('a'), file('a')]);
    w.queue.add([file('a'), file('a', 'other content')]);
    expect(w.queue.list().map((i) => i.file.size)).toEqual([10, 13]);
  });

  test('two are sent at a time, in order, with what was recognised', async () => {
    const w = await staged('a', 'b', 'c');
    w.queue.start({ application: 'shop' });
    expect(phases(w.queue)).toEqual(['a sending', 'b sending', 'c waiting']);
    expect(w.uploads[0]).toMatchObject({ name: 'a', declared: { application: 'shop' } });
    w.uploads[0]!.tell.sent(5);
    expect(percent(w.queue.list()[0]!)).toBe(50);
    w.uploads[0]!.tell.sent(10);
    w.uploads[0]!.tell.accepted(info);
    expect(phases(w.queue)).toEqual(['a projecting', 'b sending', 'c waiting']);
    w.uploads[0]!.tell.done(info);
    expect(phases(w.queue)).toEqual(['a done', 'b sending', 'c sending']);
    expect(w.changes()).toBe(1);
  });

  test('what nobody recognises is not sent until its format is chosen', async () => {
    const w = world();
    w.queue.add([file('a')]);
    w.detecting[0]!.answer({ certain: false, candidates: [], why: 'it is JSON with the key a' });
    await turn();
    w.queue.start({});
    expect(w.uploads).toEqual([]);
    w.queue.choose(1, 'generic');
    w.queue.start({});
    expect(w.uploads[0]?.declared).toEqual({ format: 'generic' });
  });

  test('a server that refuses to recognise is heard; one that cannot be reached hinders nothing', async () => {
    const w = world();
    w.queue.add([file('a'), file('b')]);
    w.detecting[0]!.fail(new ApiError(problem({ code: 'unsupported', status: 415, detail: 'no format' })));
    w.detecting[1]!.fail(new ApiError(problem({ code: 'unavailable', status: 0 })));
    await turn();
    const [a, b] = w.queue.list();
    expect(a!.detected?.why).toBe('no format');
    expect([ready(a!), ready(b!)]).toEqual([false, true]);
  });

  test('stopping takes back what is not accepted, and lets the next one go', async () => {
    const w = await staged('a', 'b', 'c');
    w.queue.start({});
    w.queue.cancel(1);
    expect(w.uploads[0]!.stopped).toBe(true);
    expect(phases(w.queue)).toEqual(['a cancelled', 'b sending', 'c sending']);
    w.uploads[1]!.tell.accepted(info);
    w.queue.cancel(2);
    expect(w.uploads[1]!.stopped).toBe(false);
    expect(phases(w.queue)[1]).toBe('b projecting');
  });

  test('a refused report stays with its reason and can be sent again', async () => {
    const w = await staged('a');
    w.queue.start({ target: 'x' });
    w.uploads[0]!.tell.failed(problem({ where: 'a:104' }));
    expect(w.queue.list()[0]).toMatchObject({ phase: 'refused', problem: { where: 'a:104' } });
    w.queue.again(1, { target: 'y' });
    expect(w.uploads[1]).toMatchObject({ declared: { target: 'y' } });
    expect(w.uploads[1]!.key).not.toBe(w.uploads[0]!.key);
    w.uploads[1]!.tell.failed(problem({ status: 0 }));
    w.queue.again(1, {});
    expect(w.uploads[2]!.key, 'it may have arrived').toBe(w.uploads[1]!.key);
  });

  test('somebody else sees nothing, and nothing goes on in his name', async () => {
    const w = await staged('a', 'b', 'c');
    w.queue.start({});
    w.queue.belongTo('grace');
    expect(w.queue.list()).toEqual([]);
    expect(w.uploads.map((u) => u.stopped)).toEqual([true, true]);
    w.uploads[0]!.tell.done(info);
    expect(w.uploads).toHaveLength(2);
  });
});
