import type { IncomingMessage } from 'node:http'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Hold } from './body-budget.ts'
import { areTiny, type PacedBody } from './body-pace.ts'
import { freeBytes } from './free-bytes.ts'

export interface BodyReading {
  /** Undefined for a chunked body. */
  declaredBytes: number | undefined
  bytesMax: number
  hold: Hold
  /** Undefined for an injected request, which has no connection. */
  paced: PacedBody | undefined
}

/** A body of 1 MiB that arrives within the 30 s of a request has 34 KiB/s. A longer one that is slower for 5 s is cut off. */
const PACED_BYTES_MIN = 1024 * 1024
const PACE_MS = 5_000
const PACE_BYTES_MIN = 5 * 32 * 1024

/** Smaller chunks are copied into buffers that double up to 64 KiB, so that a body of few bytes takes little. */
const COPIED_BYTES_MAX = 16 * 1024
const SMALL_BYTES_MIN = 1024
const SMALL_BYTES_MAX = 64 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * Reads a body into one buffer. Memory is taken as bytes arrive, and small chunks are copied together, because a chunk of one byte
 * would take a hundred times as much. @throws DecidedError for a body that is too large, too slow, beyond the budget, or breaks off.
 */
export function readBody(body: IncomingMessage, { declaredBytes, bytesMax, hold, paced }: BodyReading): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parts = declaredBytes === undefined ? createParts() : createWhole(Math.min(declaredBytes, bytesMax))
  const pace = watchPace(parts, declaredBytes, () => fail(new DecidedError('invalid_request', 'the body arrives too slowly')))

  const stop = () => {
    pace.stop()
    paced?.leave()
    body.off('data', take).off('end', finish).off('error', breakOff).off('close', breakOff)
  }
  const fail = (error: Error) => {
    stop()
    reject(error)
  }
  let pieces = 0
  const take = (chunk: Buffer) => {
    pieces++
    if (declaredBytes === undefined && areTiny({ pieces, bytes: parts.length() + chunk.length })) return fail(tinyChunks())
    if (parts.length() + chunk.length > bytesMax) return fail(tooLarge(bytesMax))
    try {
      if (declaredBytes === undefined) hold.grow(chunk.length)
      parts.add(chunk)
      paced?.wait()
    } catch (error) {
      fail(error as Error)
    }
  }
  const finish = () => {
    stop()
    resolve(parts.joined())
  }
  const breakOff = (cause?: Error) => fail(new DecidedError('invalid_request', 'the body breaks off', { cause }))

  // By itself a request resumes its socket after each chunk.
  const read = body._read.bind(body)
  body._read = (bytes) => void (paced?.isWaiting() || read(bytes))
  body.on('data', take).on('end', finish).on('error', breakOff).on('close', breakOff)
  if (body.destroyed) breakOff()
  return promise
}

function tinyChunks(): DecidedError {
  return new DecidedError(
    'invalid_request',
    'the body comes in chunks of a few bytes: send it with content-length, or in larger chunks',
  )
}

export function tooLarge(bytesMax: number): DecidedError {
  return new DecidedError('too_large', `the body is over ${sizeOf(bytesMax)}`)
}

function sizeOf(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024
  return mebibytes >= 1 ? `${mebibytes} MiB` : `${bytes / 1024} KiB`
}

export interface Parts {
  add: (chunk: Buffer) => void
  length: () => number
  /** All of it, once. */
  joined: () => Buffer
}

/**
 * One buffer for a body whose length is known. The kernel gives its memory page by page, when a chunk is copied there. Joining the
 * chunks at the end held up this thread for 10 ms with a body of 15 MB.
 */
function createWhole(bytes: number): Parts {
  let length = 0
  // Not of the pool, because a thread may get it.
  const whole = Buffer.allocUnsafeSlow(bytes)
  return {
    add: (chunk) => {
      length += chunk.copy(whole, length)
      freeBytes(chunk)
    },
    length: () => length,
    joined: () => whole.subarray(0, length),
  }
}

/** Chunks as they came; those below 16 KiB are copied together. */
export function createParts(): Parts {
  const parts: Buffer[] = []
  let small: Buffer = NOTHING
  let smallBytes = 0
  let length = 0
  const endSmall = () => {
    if (smallBytes > 0) parts.push(small.subarray(0, smallBytes))
    smallBytes = 0
  }
  return {
    add: (chunk) => {
      length += chunk.length
      if (chunk.length >= COPIED_BYTES_MAX) {
        endSmall()
        parts.push(chunk)
        return
      }
      if (smallBytes === 0 || smallBytes + chunk.length > small.length) {
        endSmall()
        small = Buffer.allocUnsafeSlow(
          Math.max(chunk.length, Math.min(small.length === 0 ? SMALL_BYTES_MIN : 2 * small.length, SMALL_BYTES_MAX)),
        )
      }
      chunk.copy(small, smallBytes)
      smallBytes += chunk.length
    },
    length: () => length,
    joined: () => {
      endSmall()
      const [only = NOTHING, ...more] = parts
      if (more.length === 0) return only
      const joined = Buffer.allocUnsafeSlow(length)
      let place = 0
      for (const part of parts) {
        place += part.copy(joined, place)
        freeBytes(part)
      }
      return joined
    },
  }
}

/** Calls `onSlow` once the body is large and brought too little in 5 s. */
function watchPace(parts: Parts, declaredBytes: number | undefined, onSlow: () => void): { stop: () => void } {
  if (declaredBytes !== undefined && declaredBytes < PACED_BYTES_MIN) return { stop: () => undefined }
  let before = 0
  const timer = setInterval(() => {
    const length = parts.length()
    if (length - before < PACE_BYTES_MIN && (declaredBytes ?? length) >= PACED_BYTES_MIN) onSlow()
    before = length
  }, PACE_MS)
  return { stop: () => clearInterval(timer) }
}
