// What mends an issue, in a few words.
import type { Issue } from '../../api/issues';
import { text } from '../../text';

/** One line under the cause in a list; '' where the cause says it all. */
export function advice(issue: Issue): string {
  const words = text.issues;
  if (issue.upgrade) {
    const { to, closes, of } = issue.upgrade;
    return to ? `→ ${to} · ${words.of(closes, of)}` : words.noUpgrade;
  }
  if (issue.base_image) {
    const { names, fixable, of } = issue.base_image;
    return [names?.join(', '), words.baseFixable(fixable, of)].filter(Boolean).join(' · ');
  }
  return issue.title ?? '';
}
