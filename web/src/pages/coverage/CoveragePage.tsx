import { Page } from '../../ui/Page';
import { text } from '../../text';

export function CoveragePage() {
  return <Page title={text.coverage.title}>{null}</Page>;
}
