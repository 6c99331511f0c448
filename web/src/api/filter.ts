// The filter language, as the server knows it.
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { byteOffset, textOffset } from '../lib/filter';
import { answer, api } from './client';

/** One way to go on at the cursor: [start, end) of the text becomes `text`. */
export interface Suggestion {
  text: string;
  start: number;
  end: number;
  doc?: string;
}

export const completeQuery = (filter: string, cursor: number) =>
  queryOptions({
    queryKey: ['filter', 'complete', filter, cursor],
    queryFn: async ({ signal }): Promise<Suggestion[]> => {
      const list = await answer(api.GET('/api/v1/filter/complete', { params: { query: { filter, cursor: byteOffset(filter, cursor) } }, signal }));
      return (list.items ?? []).map((s) => ({ ...s, start: textOffset(filter, s.start), end: textOffset(filter, s.end) }));
    },
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
