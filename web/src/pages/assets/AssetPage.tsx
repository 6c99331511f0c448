import { Page } from '../../ui/Page';
import { text } from '../../text';

export function AssetPage() {
  return <Page title={text.assets.title}>{null}</Page>;
}
