// Reads server-sent events from text that grows.

export interface ServerEvent {
  name: string;
  data: string;
}

/** Gives the events that have arrived whole since the last call. `push` takes all of the text so far. */
export class EventReader {
  private read = 0;

  push(text: string): ServerEvent[] {
    const out: ServerEvent[] = [];
    for (;;) {
      const end = text.indexOf('\n\n', this.read);
      if (end < 0) return out;
      const event = parse(text.slice(this.read, end));
      if (event) out.push(event);
      this.read = end + 2;
    }
  }
}

function parse(block: string): ServerEvent | null {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { name, data: data.join('\n') };
}
