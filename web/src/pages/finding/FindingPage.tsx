import { Page } from '../../ui/Page';
import { text } from '../../text';

export function FindingPage() {
  return <Page title={text.findings.title}>{null}</Page>;
}
