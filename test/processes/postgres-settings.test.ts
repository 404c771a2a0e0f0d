import { expect, test } from 'vitest'
import { loadSettings } from '../../src/main/embedded/postgres-settings.ts'

const GIB = 2 ** 30

test.each([
  ['a small server', { memoryBytes: 0.5 * GIB, diskBytes: 5 * GIB }, ['128MB', '1024MB']],
  ['a laptop', { memoryBytes: 16 * GIB, diskBytes: 30 * GIB }, ['2048MB', '1536MB']],
  ['a large server', { memoryBytes: 512 * GIB, diskBytes: 8_000 * GIB }, ['4096MB', '2048MB']],
])('memory and log of %s', (_name, machine, expected) => {
  const { shared_buffers: buffers, max_wal_size: log } = loadSettings(machine)
  expect([buffers, log]).toEqual(expected)
})
