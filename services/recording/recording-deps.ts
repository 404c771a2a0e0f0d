import type { Deps } from '../handler/deps.ts'
import type { RecordingStep } from './step.ts'

/** What recording needs. */
export interface RecordingDeps extends Deps {
  step: RecordingStep
}
