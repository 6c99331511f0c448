import { Page } from '../../ui/Page';
import { text } from '../../text';

export function AssetsPage() {
  return <Page title={text.assets.title}>{null}</Page>;
}
