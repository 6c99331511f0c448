import { Page } from '../../ui/Page';
import { text } from '../../text';

export function SnapshotPage() {
  return <Page title={text.imports.title}>{null}</Page>;
}
