// Streams: who scans what, and when last.
import { queryOptions } from '@tanstack/react-query';
import { everything } from './applications';
import { answer, api, type Schemas } from './client';

export type Stream = Schemas['StreamInfo'];

export const streamsQuery = queryOptions({
  queryKey: ['streams'],
  queryFn: ({ signal }) => everything((cursor) => answer(api.GET('/api/v1/streams', { params: { query: { limit: 1000, ...(cursor && { cursor }) } }, signal }))),
});
