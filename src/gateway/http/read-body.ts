import type { IncomingMessage } from 'node:http'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Hold } from './body-budget.ts'
import { freeBytes } from './free-bytes.ts'

export interface BodyReading {
  /** Undefined for a chunked body. */
  declaredBytes: number | undefined
  bytesMax: number
  hold: Hold
}

/** A body of 1 MiB that arrives within the 30 s of a request has 34 KiB/s. A longer one that is slower for 5 s is cut off. */
const PACED_BYTES_MIN = 1024 * 1024
const PACE_MS = 5_000
const PACE_BYTES_MIN = 5 * 32 * 1024

/** The first part of a body that arrives in several. */
const ALLOCATED_BYTES_MIN = 16 * 1024

/**
 * Reads a body into one buffer. Memory is taken as bytes arrive, and small chunks are joined, because a chunk of one byte would take
 * a hundred times as much. @throws DecidedError for a body that is too large, too slow, beyond the budget, or breaks off.
 */
export function readBody(body: IncomingMessage, { declaredBytes, bytesMax, hold }: BodyReading): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parts = joinedChunks(declaredBytes)
  const pace = watchPace(parts, declaredBytes, () => fail(new DecidedError('invalid_request', 'the body arrives too slowly')))

  const stop = () => {
    pace.stop()
    body.off('data', take).off('end', finish).off('error', breakOff).off('close', breakOff)
  }
  const fail = (error: Error) => {
    stop()
    reject(error)
  }
  const take = (chunk: Buffer) => {
    if (parts.length() + chunk.length > bytesMax) return fail(tooLarge(bytesMax))
    try {
      if (declaredBytes === undefined) hold.grow(chunk.length)
      parts.add(chunk)
    } catch (error) {
      fail(error as Error)
    }
  }
  const finish = () => {
    stop()
    resolve(parts.whole())
  }
  const breakOff = (cause?: Error) => fail(new DecidedError('invalid_request', 'the body breaks off', { cause }))

  body.on('data', take).on('end', finish).on('error', breakOff).on('close', breakOff)
  if (body.destroyed) breakOff()
  return promise
}

export function tooLarge(bytesMax: number): DecidedError {
  return new DecidedError('too_large', `the body is over ${sizeOf(bytesMax)}`)
}

function sizeOf(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024
  return mebibytes >= 1 ? `${mebibytes} MiB` : `${bytes / 1024} KiB`
}

interface Joined {
  add: (chunk: Buffer) => void
  length: () => number
  whole: () => Buffer
}

/** The buffer doubles as it fills, up to the declared length. A body in one chunk, as most are, is not copied. */
function joinedChunks(declaredBytes: number | undefined): Joined {
  let joined: Buffer = Buffer.alloc(0)
  let length = 0
  return {
    add: (chunk) => {
      const bytes = chunk.length
      if (length === 0 && chunk.length === declaredBytes) joined = chunk
      else {
        if (length + chunk.length > joined.length) joined = enlarged(joined, length + chunk.length, declaredBytes)
        chunk.copy(joined, length)
      }
      length += bytes
      if (chunk !== joined) freeBytes(chunk)
    },
    length: () => length,
    whole: () => joined.subarray(0, length),
  }
}

function enlarged(joined: Buffer, needed: number, declaredBytes = Number.POSITIVE_INFINITY): Buffer {
  const size = Math.min(declaredBytes, Math.max(needed, 2 * joined.length, ALLOCATED_BYTES_MIN))
  const larger = Buffer.allocUnsafeSlow(size)
  joined.copy(larger)
  freeBytes(joined)
  return larger
}

/** Calls `onSlow` once the body is large and brought too little in 5 s. */
function watchPace(parts: Joined, declaredBytes: number | undefined, onSlow: () => void): { stop: () => void } {
  if (declaredBytes !== undefined && declaredBytes < PACED_BYTES_MIN) return { stop: () => undefined }
  let before = 0
  const timer = setInterval(() => {
    const length = parts.length()
    if (length - before < PACE_BYTES_MIN && (declaredBytes ?? length) >= PACED_BYTES_MIN) onSlow()
    before = length
  }, PACE_MS)
  return { stop: () => clearInterval(timer) }
}
