import { DecidedError } from '../../contract/decided-error.ts'
import { OLD_RECORDER, recorderOf, RECORDERS } from '../../contract/recorder.ts'
import type { Recorder } from '../../ingress/recorder.ts'
import { createGroupCommit, type GroupCommit, type GroupCommitOptions } from './group-commit.ts'
import { NO_ROOM, type RecorderRoom } from './recorder-room.ts'
import { wholeRequest } from './request-parts.ts'
import { submissionsOf } from './senders.ts'

type Limits = Omit<GroupCommitOptions<string, string>, 'list' | 'send' | 'partsOf' | 'wholeOf' | 'isPaced'>

export interface GroupSubmitOptions extends Limits {
  recorder: Recorder
  room: RecorderRoom
}

/** Callers of a connection that are remembered. A proxy sends the requests of any number of callers on one connection. */
const OLD_CALLERS_MAX = 1_000

/**
 * Hands events to a recorder in groups, and answers when Restate has them. All requests of a caller on a connection go to one recorder,
 * so that their events are recorded in its order, however long they wait.
 */
export function createGroupSubmit({ recorder, room, ...limits }: GroupSubmitOptions): GroupCommit<string> {
  // The pace is that of recording, however slow it is.
  const groups = createGroupCommit({ ...limits, ...submissionsOf(recorder, room), isPaced: true })
  const oldCallers = new WeakMap<object, Set<string>>()
  /** All connections of a caller share a recorder, because four groups at a time would be smaller, and slower together, than one. */
  const recorderFor = (connection: object, caller: string, isOld: boolean): string => {
    const old = oldCallers.get(connection) ?? new Set()
    if (isOld && old.size < OLD_CALLERS_MAX) oldCallers.set(connection, old.add(caller))
    return isOld || old.has(caller) ? OLD_RECORDER : recorderOf(caller, RECORDERS)
  }
  return {
    ...groups,
    record: async (request) => {
      const key = recorderFor(request.connection, request.caller, wholeRequest(request).isOld === true)
      if (room.isFull(key)) {
        limits.observer.turnedAway('recorder_full')
        throw new DecidedError('unavailable', NO_ROOM)
      }
      return groups.record({ ...request, recorder: key })
    },
  }
}
