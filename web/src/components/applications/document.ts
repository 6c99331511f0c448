// The text of a rules document in its editor: lines, places of faults, tabs.

/** The line of "line 3" or "line 3, column 7" in a problem's place; null if it names none. */
export function faultLine(where: string | undefined): number | null {
  const m = /\bline (\d+)\b/.exec(where ?? '');
  return m ? Number(m[1]) : null;
}

export function lineCount(text: string): number {
  return text.split('\n').length;
}

/** Where a line begins and ends. */
export function lineSpan(text: string, line: number): [start: number, end: number] {
  const lines = text.split('\n');
  const before = lines.slice(0, Math.max(0, line - 1));
  const start = Math.min(text.length, before.reduce((n, l) => n + l.length + 1, 0));
  return [start, start + (lines[line - 1]?.length ?? 0)];
}

/** A new line is as deep as the one before it, and deeper after one that opens a part. */
export function newLine(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
  const indent = /^ */.exec(line)![0];
  const item = /^ *- /.test(line) && /:\s*$/.test(line) ? '  ' : '';
  return '\n' + indent + (/:\s*$/.test(line) ? '  ' : '') + item;
}
