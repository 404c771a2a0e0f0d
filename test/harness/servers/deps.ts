import type { Deps } from '../../../services/handler/deps.ts'
import { TASKS } from '../../../services/tasks/tasks.ts'
import { KEEP_ALL } from '../../../src/admission/privacy.ts'
import { SILENT_OBSERVER } from './silent-observer.ts'

/** What the services receive beside their pools, for tests and benches: quick retries, nothing taken out, nobody who watches. */
export const TEST_DEPS: Omit<Deps, 'db' | 'background'> = {
  retryPolicy: { initialInterval: 50, maxInterval: 500, exponentiationFactor: 2, maxAttempts: 200, onMaxAttempts: 'pause' },
  privacy: KEEP_ALL,
  retention: { retentionDays: undefined, rollUpAfterDays: undefined },
  tasks: TASKS,
  observer: SILENT_OBSERVER,
}
