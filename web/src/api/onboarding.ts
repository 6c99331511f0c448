// The first steps in a new workspace, and which are done.
import { queryOptions } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Step = Schemas['OnboardingItem'];

export const onboardingQuery = queryOptions({
  queryKey: ['onboarding'],
  queryFn: async ({ signal }) => (await answer(api.GET('/api/v1/onboarding', { signal }))).items,
  staleTime: 30_000,
});
