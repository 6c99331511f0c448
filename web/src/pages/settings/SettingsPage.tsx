import { Page } from '../../ui/Page';
import { text } from '../../text';

export function SettingsPage() {
  return <Page title={text.settings.title}>{null}</Page>;
}
