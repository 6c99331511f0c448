// The one queue of this page load.
import { useSyncExternalStore } from 'react';
import { detect, upload } from '../../api/imports';
import { client } from '../../lib/query';
import { Queue, type Item } from './queue';

export const uploads = new Queue({
  detect,
  upload,
  changed: () => void client.invalidateQueries(),
});

export function useUploads(): readonly Item[] {
  return useSyncExternalStore(uploads.subscribe, uploads.list);
}
