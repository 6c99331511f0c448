import { Page } from '../../ui/Page';
import { text } from '../../text';

export function FindingsPage() {
  return <Page title={text.findings.title}>{null}</Page>;
}
