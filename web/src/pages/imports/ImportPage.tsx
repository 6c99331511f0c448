import { Page } from '../../ui/Page';
import { text } from '../../text';

export function ImportPage() {
  return <Page title={text.imports.title}>{null}</Page>;
}
