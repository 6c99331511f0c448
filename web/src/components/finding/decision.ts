// A decision as it is written in the dialog, and as it is sent.
import type { Verdict } from '../../api/decisions';

export const verdicts: Verdict[] = ['triaged', 'in_progress', 'accepted', 'false_positive', 'reopen'];

export interface Draft {
  verdict: Verdict;
  reason: string;
  until: string; // a day as YYYY-MM-DD, '' for no end
  owner: string;
}

/** Whether putting a finding out of the numbers needs a reason. */
export function needsReason(verdict: Verdict): boolean {
  return verdict === 'accepted' || verdict === 'false_positive';
}

/** What keeps a draft from being sent. */
export function faultsOf(draft: Draft, now: Date): ('reason' | 'until')[] {
  const out: ('reason' | 'until')[] = [];
  if (needsReason(draft.verdict) && draft.reason.trim() === '') out.push('reason');
  if (draft.verdict !== 'reopen' && draft.until !== '' && !(Date.parse(`${draft.until}T00:00:00Z`) > now.getTime())) out.push('until');
  return out;
}

/** What is sent: nothing that was left empty, and of a reopening no end and owner. */
export function decisionOf(draft: Draft): { verdict: Verdict; reason?: string; until?: string; owner?: string } {
  const [reason, owner] = [draft.reason.trim(), draft.owner.trim()];
  const stands = draft.verdict !== 'reopen';
  return {
    verdict: draft.verdict,
    ...(reason !== '' && { reason }),
    ...(stands && draft.until !== '' && { until: `${draft.until}T00:00:00Z` }),
    ...(stands && owner !== '' && { owner }),
  };
}

/** The day so many days from now, UTC. */
export function inDays(days: number, now: Date): string {
  return new Date(now.getTime() + days * 24 * 3600 * 1000).toISOString().slice(0, 10);
}
