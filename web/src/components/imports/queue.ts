// The reports that somebody is sending: what is recognised, what waits, what is
// under way and what became of it. It outlives the page, so that who looks at
// findings meanwhile interrupts nothing. Two are sent at a time, two recognised.
import type { Problem } from '../../api/client';
import { ApiError } from '../../api/client';
import type { Declared, Detected, ImportInfo, Stage, Watcher } from '../../api/imports';

export type Phase = 'detecting' | 'staged' | 'waiting' | 'sending' | 'reading' | 'projecting' | 'done' | 'refused' | 'cancelled';

export interface Item {
  readonly id: number;
  readonly name: string; // with its folder, where it came with one
  readonly file: File;
  readonly key: string; // the same report is never counted twice under it
  readonly phase: Phase;
  readonly detected?: Detected;
  readonly detectFailed?: boolean;
  readonly format?: string; // chosen by the person, over what was recognised
  readonly sent: number;
  readonly stage?: Stage;
  readonly info?: ImportInfo;
  readonly problem?: Problem;
}

/** What the queue needs of the world. */
export interface World {
  detect(file: File): Promise<Detected>;
  upload(file: File, name: string, declared: Declared, key: string, tell: Watcher): () => void;
  /** Something was imported: what is shown may be old. */
  changed(): void;
}

const atOnce = 2;

export class Queue {
  private items: readonly Item[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly stops = new Map<number, () => void>();
  private readonly declared = new Map<number, Declared>();
  private owner = '';
  private last = 0;
  private recognising = 0;

  constructor(private readonly world: World) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  readonly list = () => this.items;

  /** Whose reports these are. Somebody else who signs in does not see them, and what is not yet sent is dropped. */
  belongTo(owner: string) {
    if (this.owner === owner) return;
    this.owner = owner;
    for (const stop of this.stops.values()) stop();
    this.stops.clear();
    this.declared.clear();
    this.set([]);
  }

  add(files: { file: File; name: string }[]) {
    const known = new Set(this.items.filter((i) => !over(i.phase)).map((i) => identity(i.name, i.file)));
    const fresh = files.filter((f) => {
      const id = identity(f.name, f.file);
      if (known.has(id)) return false; // dropped twice by mistake
      known.add(id);
      return true;
    });
    this.set([...this.items, ...fresh.map(({ file, name }): Item => ({ id: ++this.last, name, file, key: randomKey(), phase: 'detecting', sent: 0 }))]);
    this.recognise();
  }

  choose(id: number, format: string | undefined) {
    this.change(id, { format });
  }

  /** Sends everything that is ready, declared to be so. */
  start(declared: Declared) {
    for (const item of this.items) {
      if (ready(item)) this.wait(item.id, declared);
    }
    this.next();
  }

  /** Sends a refused report again, with the declarations as they are now. */
  again(id: number, declared: Declared) {
    const item = this.items.find((i) => i.id === id);
    if (!item || (item.phase !== 'refused' && item.phase !== 'cancelled')) return;
    // Where the connection broke the report may have arrived: the same key tells it.
    this.change(id, { sent: 0, stage: undefined, problem: undefined, key: item.problem?.status === 0 ? item.key : randomKey() });
    this.wait(id, declared);
    this.next();
  }

  /** Stops a report that the server has not accepted; what was accepted cannot be stopped. */
  cancel(id: number) {
    const item = this.items.find((i) => i.id === id);
    if (!item || !cancellable(item.phase)) return;
    this.stops.get(id)?.();
    this.stops.delete(id);
    this.change(id, { phase: 'cancelled' });
    this.next();
  }

  remove(id: number) {
    this.cancel(id);
    this.set(this.items.filter((i) => i.id !== id || i.phase === 'projecting'));
  }

  clearFinished() {
    this.set(this.items.filter((i) => !over(i.phase)));
  }

  private wait(id: number, declared: Declared) {
    this.declared.set(id, declared);
    this.change(id, { phase: 'waiting' });
  }

  private recognise() {
    while (this.recognising < atOnce) {
      const item = this.items.find((i) => i.phase === 'detecting' && !this.stops.has(i.id));
      if (!item) return;
      this.recognising++;
      this.stops.set(item.id, () => undefined);
      const done = (found: Partial<Item>) => {
        this.recognising--;
        this.stops.delete(item.id);
        if (this.items.some((i) => i.id === item.id && i.phase === 'detecting')) this.change(item.id, { ...found, phase: 'staged' });
        this.recognise();
      };
      this.world.detect(item.file).then(
        (detected) => done({ detected }),
        // The server looks again when it has the whole file; that it could not be asked refuses nothing.
        (error: unknown) => done(refusal(error) ? { detected: { certain: false, candidates: [], why: refusal(error) } } : { detectFailed: true }),
      );
    }
  }

  private next() {
    while (this.items.filter((i) => running(i.phase)).length < atOnce) {
      const item = this.items.find((i) => i.phase === 'waiting');
      if (!item) return;
      this.send(item);
    }
  }

  private send(item: Item) {
    const { id } = item;
    const over = (last: Partial<Item>) => {
      this.stops.delete(id);
      this.change(id, last);
      if (last.phase === 'done') this.world.changed();
      this.next();
    };
    this.change(id, { phase: 'sending' });
    // What was recognised from its beginning the server recognises from the whole.
    const stop = this.world.upload(item.file, item.name, { ...this.declared.get(id), ...(item.format && { format: item.format }) }, item.key, {
      sent: (bytes) => this.change(id, { sent: bytes, ...(bytes >= item.file.size && { phase: 'reading' }) }),
      stage: (stage) => this.change(id, { stage, phase: stage.stage === 'project' ? 'projecting' : 'reading' }),
      accepted: (info) => this.change(id, { info, phase: 'projecting' }),
      done: (info) => over({ info, phase: 'done' }),
      failed: (problem) => over({ problem, phase: 'refused' }),
    });
    this.stops.set(id, stop);
  }

  private change(id: number, to: Partial<Item>) {
    this.set(this.items.map((i) => (i.id === id ? { ...i, ...to } : i)));
  }

  private set(items: readonly Item[]) {
    this.items = items;
    this.listeners.forEach((listener) => listener());
  }
}

/** Whether a report can be sent: recognised, or its format was chosen, or the server is to say. */
export function ready(item: Item): boolean {
  return item.phase === 'staged' && (item.format !== undefined || item.detectFailed === true || item.detected?.format !== undefined);
}

export function running(phase: Phase): boolean {
  return phase === 'sending' || phase === 'reading' || phase === 'projecting';
}

export function over(phase: Phase): boolean {
  return phase === 'done' || phase === 'refused' || phase === 'cancelled';
}

/** Whether stopping still takes it back. */
export function cancellable(phase: Phase): boolean {
  return phase === 'waiting' || phase === 'sending' || phase === 'reading';
}

/** How far a report is, from 0 to 100; null while nobody can tell. */
export function percent(item: Item): number | null {
  if (item.phase === 'sending') return item.file.size > 0 ? Math.floor((100 * item.sent) / item.file.size) : null;
  if (item.phase === 'reading' && item.stage?.total) return Math.min(100, Math.floor((100 * item.stage.done) / item.stage.total));
  return item.phase === 'done' ? 100 : null;
}

function identity(name: string, file: File): string {
  return `${name}\0${file.size}\0${file.lastModified}`;
}

/** Why the server does not know a file, where it said so. */
function refusal(error: unknown): string | undefined {
  return error instanceof ApiError && error.problem.code === 'unsupported' ? error.problem.detail : undefined;
}

/** A key nobody else has. crypto.randomUUID is missing where there is no TLS. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
