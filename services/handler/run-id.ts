import type { ObjectSharedContext } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { isUuid } from '../../src/contract/fields/uuid.ts'

/** The id of a run. Callers choose the key. Lower case only, because `A…` and `a…` would be two keys of one run. */
export function idOfRun({ key }: ObjectSharedContext): string {
  if (!isUuid(key)) throw new DecidedError('invalid_request', 'the key is not a UUID in lower case')
  return key
}
