import { text } from '../../text';
import classes from './Severity.module.css';

// Each severity has a shape of its own, so that colour is never alone.
const shapes: Record<string, string> = {
  critical: 'M4.7 1h6.6L15 4.7v6.6L11.3 15H4.7L1 11.3V4.7z', // octagon
  high: 'M8 1.5 15.2 14.5H.8z', // triangle that points up
  medium: 'M8 .8 15.2 8 8 15.2.8 8z', // diamond
  low: 'M8 14.5.8 1.5h14.4z', // triangle that points down
  info: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z', // disc
};

/** A severity: shape, colour and word. Where there is no room for the word, it is there for those who listen. */
export function SeverityMark({ severity, bare }: { severity: string; bare?: boolean }) {
  const word = text.findings.severity[severity] ?? severity;
  return (
    <span className={classes.mark} data-severity={severity}>
      <svg className={classes.shape} viewBox="0 0 16 16" width={12} height={12} aria-hidden focusable="false">
        <path d={shapes[severity] ?? shapes.info} />
      </svg>
      <span className={bare ? classes.hidden : undefined}>{word}</span>
    </span>
  );
}
