import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileProblem } from '../source/file-problem.ts'
import { StartError } from '../../../main/config/start-error.ts'

/** Records of four whole numbers below 2^32. Each partition keeps its records in the order in which they were added. */
export interface PartitionedFile {
  /** @throws StartError when the folder cannot be written. */
  add: (partition: number, a: number, b: number, c: number, d: number) => void
  /** The records of a partition, one after the other in arrays. An array is overwritten by the next one. */
  read: (partition: number) => Iterable<Uint32Array>
  close: () => void
}

/** With 512 partitions 100 million records are 200,000 in each, and the blocks in memory have 8 MiB. */
export const PARTITIONS = 512
export const RECORD_WORDS = 4
const BLOCK_WORDS = RECORD_WORDS * 1_024
const BLOCK_BYTES = BLOCK_WORDS * Uint32Array.BYTES_PER_ELEMENT

/**
 * Keeps a block of each partition in memory, and full blocks in one temporary file. The file is removed as soon as it is open, so that
 * its space is free again however the process ends.
 */
export function createPartitionedFile(folder: string): PartitionedFile {
  const blocks: (Uint32Array | undefined)[] = []
  const filled = new Uint32Array(PARTITIONS)
  const placesOf: number[][] = Array.from({ length: PARTITIONS }, () => [])
  let places = 0
  let file: number | undefined
  const spill = (partition: number, block: Uint32Array) => {
    try {
      file ??= openRemoved(folder)
      writeBlock(file, block, places * BLOCK_BYTES)
    } catch (error) {
      throw folderProblem(folder, error)
    }
    placesOf[partition]!.push(places++)
    filled[partition] = 0
  }
  return {
    add: (partition, a, b, c, d) => {
      const block = (blocks[partition] ??= new Uint32Array(BLOCK_WORDS))
      const at = filled[partition]!
      block[at] = a
      block[at + 1] = b
      block[at + 2] = c
      block[at + 3] = d
      filled[partition] = at + RECORD_WORDS
      if (at + RECORD_WORDS === BLOCK_WORDS) spill(partition, block)
    },
    read: function* (partition) {
      const open = blocks[partition]
      if (open === undefined) return
      const block = new Uint32Array(BLOCK_WORDS)
      for (const place of placesOf[partition]!) {
        readBlock(file!, block, place * BLOCK_BYTES)
        yield block
      }
      yield open.subarray(0, filled[partition])
    },
    close: () => {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}

function openRemoved(folder: string): number {
  const path = join(folder, `footfall-${randomUUID()}.tmp`)
  const file = openSync(path, 'wx+', 0o600)
  rmSync(path)
  return file
}

/** A full disk takes a part of a block before it refuses the next one. */
function writeBlock(file: number, block: Uint32Array, position: number): void {
  const bytes = new Uint8Array(block.buffer)
  for (let at = 0; at < BLOCK_BYTES;) at += writeSync(file, bytes, at, BLOCK_BYTES - at, position + at)
}

function readBlock(file: number, block: Uint32Array, position: number): void {
  const bytes = new Uint8Array(block.buffer)
  for (let at = 0; at < BLOCK_BYTES;) at += readSync(file, bytes, at, BLOCK_BYTES - at, position + at)
}

export function folderProblem(folder: string, error: unknown): StartError {
  const { message } = fileProblem(`The folder ${folder}`, 'written', error)
  return new StartError(`${message} Equal rows are counted in temporary files; --temp-folder names another folder for them.`, {
    cause: error,
  })
}
