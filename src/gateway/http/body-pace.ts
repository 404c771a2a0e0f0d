import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/**
 * How much is read of bodies at a time, in chunks of up to 64 KiB, each some 0.05 ms of this thread. Of the only caller that sends a
 * turn of the event loop drops 16; what is recorded does not wait. Next to others a caller has one each millisecond, at most 64 MB/s,
 * and all callers have four. Without this, senders of large bodies keep the thread and a processor busy with reading alone.
 */
const ALONE = { callerMax: 16, allMax: 16 }
const SHARED = { callerMax: 1, allMax: 4 }
const SHARED_MS = 1

/** A sender may choose chunks of a byte (chunked encoding), each some 1 µs. So many of them delay their caller's next turn by one. */
const PIECES = 100

/** A chunked body whose chunks have fewer bytes than so many is cut off after so many chunks. */
const TINY_BYTES = 16
const TINY_PIECES = 1_000

/**
 * Lets no more of a chunked body arrive, until it is read or dropped, than came with its head. By itself Node holds 64 KiB of it, which
 * may be 64 Ki chunks of a byte.
 */
export function holdChunks({ headers, socket }: IncomingMessage): void {
  if (headers['transfer-encoding'] !== undefined) socket.pause()
}

export function areTiny({ pieces, bytes }: { pieces: number; bytes: number }): boolean {
  return pieces >= TINY_PIECES && bytes < TINY_BYTES * pieces
}

/** Shares the reading of bodies among callers: those that are recorded, and those that are refused and dropped. */
export interface BodyPace {
  /** The body of a request, which is about to be read or dropped. */
  enter: (caller: string, request: PacedRequest, purpose: Purpose) => PacedBody
}

export type Purpose = 'read' | 'drop'

export interface PacedBody {
  /** To be called after each chunk: nothing more is read of the body until it is its turn. A body that has arrived does not wait. */
  wait: () => void
  isWaiting: () => boolean
  /** The body has ended, or its connection has. */
  leave: () => void
}

export interface PacedRequest {
  /** Whether all of it has arrived. Its last chunks may still be read then. */
  complete: boolean
  socket: Pick<Socket, 'pause' | 'resume'>
}

interface WaitingBody {
  resume: () => void
}

/** Bodies that wait. */
interface Line {
  /** In turns, because each of them must arrive in time. */
  read: WaitingBody[]
  /** After those that are read. Each is dropped to its end before the next one, so that some reach it in time. */
  drop: WaitingBody[]
  /** Turns that are left out. */
  debt: number
}

interface PaceDeps {
  hasOthers: (caller: string) => boolean
  /** Calls a function soon, next to other callers after a moment. */
  later?: (next: () => void, isShared: boolean) => void
}

export function createBodyPace({ hasOthers, later = callLater }: PaceDeps): BodyPace {
  /** The caller whose turn was last comes last. */
  const lines = new Map<string, Line>()
  let isScheduled = false

  const schedule = () => {
    if (isScheduled || lines.size === 0) return
    isScheduled = true
    later(nextTurn, isShared())
  }
  const isShared = () => [...lines].every(([caller, { debt }]) => debt >= 1 || hasOthers(caller))
  const nextTurn = () => {
    isScheduled = false
    const { callerMax, allMax } = isShared() ? SHARED : ALONE
    let places = allMax
    for (const [caller, line] of [...lines]) {
      if (places <= 0) break
      places -= resumeSome(line, Math.min(callerMax, places))
      lines.delete(caller)
      if (line.read.length + line.drop.length > 0 || line.debt >= 1) lines.set(caller, line)
    }
    schedule()
  }

  return {
    enter: (caller, request, purpose) => {
      const { socket } = request
      let isNew = true
      let isWaiting = false
      let pieces = 0
      const body: WaitingBody = {
        resume: () => {
          isWaiting = false
          pieces = 0
          socket.resume()
        },
      }
      const join = (line: Line) => {
        isWaiting = true
        socket.pause()
        if (purpose === 'read' || isNew) line[purpose].push(body)
        else line.drop.unshift(body)
        isNew = false
      }
      return {
        wait: () => {
          // Delaying large chunks of the only caller helps no other.
          if (purpose === 'read' && ++pieces < PIECES && !isWaiting && !hasOthers(caller)) return
          const line = lines.get(caller) ?? { read: [], drop: [], debt: 0 }
          line.debt += 1 / PIECES
          lines.set(caller, line)
          // Its connection brings the next request now, and nothing would resume it.
          if (!isWaiting && !request.complete) join(line)
          schedule()
        },
        isWaiting: () => isWaiting,
        leave: () => {
          if (!isWaiting) return
          isWaiting = false
          const line = lines.get(caller)![purpose]
          line.splice(line.indexOf(body), 1)
        },
      }
    },
  }
}

/** @returns how many places were used. */
function resumeSome(line: Line, places: number): number {
  let used = 0
  for (; used < places; used++) {
    if (line.debt >= 1) line.debt--
    else {
      const body = line.read.shift() ?? line.drop.shift()
      if (body === undefined) break
      body.resume()
    }
  }
  return used
}

function callLater(next: () => void, isShared: boolean): void {
  if (isShared) setTimeout(next, SHARED_MS)
  else setImmediate(next)
}
