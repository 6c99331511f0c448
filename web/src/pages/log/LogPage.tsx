import { Page } from '../../ui/Page';
import { text } from '../../text';

export function LogPage() {
  return <Page title={text.log.title}>{null}</Page>;
}
