import { useEffect, useRef, type KeyboardEvent } from 'react';
import { text } from '../../text';
import classes from './applications.module.css';
import { lineCount, lineSpan, newLine } from './document';

/**
 * A text with numbered lines. Tab leaves it, as everywhere on a page; Enter keeps
 * the depth of the line. `fault` marks a line; `jump` changes when it is to be shown.
 */
export function RulesEditor({ value, fault, jump, describedBy, onChange }: { value: string; fault: number | null; jump: number; describedBy: string; onChange: (value: string) => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (jump === 0 || fault === null || !area.current) return;
    const [start, end] = lineSpan(area.current.value, fault);
    area.current.focus();
    area.current.setSelectionRange(start, end);
    area.current.scrollTop = Math.max(0, (fault - 5) * lineHeight);
  }, [jump, fault]);
  const key = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    const { selectionStart: start, selectionEnd: end } = event.currentTarget;
    event.currentTarget.setRangeText(newLine(value, start), start, end, 'end');
    onChange(event.currentTarget.value);
  };
  return (
    <div className={classes.editor}>
      <div ref={gutter} className={classes.gutter} aria-hidden>
        {Array.from({ length: lineCount(value) }, (_, i) => (
          <div key={i} data-fault={i + 1 === fault || undefined}>
            {i + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={area}
        className={classes.textarea}
        value={value}
        aria-label={text.applications.rules.document}
        aria-describedby={describedBy}
        aria-invalid={fault !== null}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        wrap="off"
        onChange={(event) => onChange(event.currentTarget.value)}
        onKeyDown={key}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}

const lineHeight = 20; // of the style sheet
