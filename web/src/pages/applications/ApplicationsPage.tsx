import { Page } from '../../ui/Page';
import { text } from '../../text';

export function ApplicationsPage() {
  return <Page title={text.applications.title}>{null}</Page>;
}
