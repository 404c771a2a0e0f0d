import { createGunzip } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Hold } from './body-budget.ts'
import { createCallerShares } from './caller-shares.ts'
import { createParts, tooLarge } from './read-body.ts'
import { createTurns, inTurn, NoTurnError } from './turns.ts'

/**
 * Bodies that are inflated at the same time, of all callers and of one. 16 KB of zeros become 16 MiB, which takes 10 ms of a processor:
 * 2 ms of this thread, and the rest of a thread of Node's pool, which has four.
 */
const RUNNING_MAX = 2
const CALLER_RUNNING_MAX = 1
const CALLER_WAITING_MAX = 200
const WAIT_MS_MAX = 10_000

const CHUNK_BYTES_MIN = 1024
/** With 64 KiB inflating took 17 ms instead of 10, because each chunk is a turn of this thread. */
const CHUNK_BYTES_MAX = 256 * 1024
/** A gzip has at least a header, which begins with these bytes, and a trailer (RFC 1952). */
const GZIP_BYTES_MIN = 18
const GZIP_MAGIC = 0x1f8b

const FULL = 'too many compressed bodies wait here already; nothing of this request was recorded, send it again'

/** Inflates bodies of gzip in turns. */
export type Inflater = (request: FastifyRequest, body: Buffer, limits: InflateLimits) => Promise<Buffer>

export interface InflateLimits {
  /** The most bytes of the inflated body. */
  bytesMax: number
  /** Has the compressed bytes of the budget of bodies, and grows when the inflated ones are more. */
  hold: Hold
}

/** Callers take turns, so that one with many compressed bodies delays no other. */
export function createInflater(callerOf: (request: FastifyRequest) => string): Inflater {
  const shares = createCallerShares(CALLER_RUNNING_MAX)
  const turns = createTurns({ runningMax: RUNNING_MAX, waitingMax: Infinity, callerWaitingMax: CALLER_WAITING_MAX, shares })
  return async (request, body, limits) => {
    try {
      return await inTurn(turns, { id: callerOf(request), hasShare: true }, () => inflate(body, limits), {
        waitMsMax: WAIT_MS_MAX,
      })
    } catch (error) {
      throw error instanceof NoTurnError ? new DecidedError('unavailable', FULL) : error
    }
  }
}

/**
 * Inflates a body, and stops at the first byte beyond a limit. The size in its last bytes is held before. One beyond the limit is not
 * believed: the last bytes of a body that breaks off are any number, and only inflating it tells the two apart. The budget is taken for the larger of both forms, so
 * that the largest body fits into the smallest budget; few bodies have both at the same time.
 * @throws DecidedError for a body that is too large, beyond the budget, or no gzip.
 */
export async function inflate(body: Buffer, { bytesMax, hold }: InflateLimits): Promise<Buffer> {
  if (body.length < GZIP_BYTES_MIN || body.readUInt16BE() !== GZIP_MAGIC) throw notGzip('it has no header of gzip')
  const sizeBytes = body.readUInt32LE(body.length - 4)
  let heldBytes = body.length
  const holdAll = (bytes: number) => {
    if (bytes <= heldBytes) return
    hold.grow(bytes - heldBytes)
    heldBytes = bytes
  }
  if (sizeBytes <= bytesMax) holdAll(sizeBytes)
  const parts = createParts()
  const chunkSize = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, sizeBytes + 1))
  const gunzip = createGunzip({ chunkSize })
  gunzip.end(body)
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      const length = parts.length() + chunk.length
      if (length > bytesMax) throw tooLarge(bytesMax)
      holdAll(length)
      parts.add(chunk)
    }
  } catch (error) {
    if (error instanceof DecidedError) throw error
    throw notGzip((error as Error).message)
  }
  return parts.joined()
}

function notGzip(problem: string): DecidedError {
  return new DecidedError('invalid_request', `the body is not gzip: ${problem}`)
}
