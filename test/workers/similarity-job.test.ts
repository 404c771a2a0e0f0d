import { expect, test } from 'vitest'
import { VERSION_DEFAULTS } from '../../src/ranking/similarity/version-settings.ts'
import { startSimilarityJob } from '../../src/workers/similarity-job.ts'

const EVENTS = 300_000
const listOf = (valueOf: (n: number) => unknown) => JSON.stringify(Array.from({ length: EVENTS }, (_, n) => valueOf(n)))

test('a signal ends the count while its thread is busy', async () => {
  const job = startSimilarityJob(VERSION_DEFAULTS, 1)
  const page = {
    events: EVENTS,
    shoppers: listOf((n) => `s${n % 9_973}`),
    products: listOf((n) => `p${n % 997}`),
    days: listOf(() => 0),
    baskets: listOf(() => null),
  }
  const settled: string[] = []
  const taken = job.takeEvents(page).finally(() => settled.push('taken'))
  const cancelling = new AbortController()
  const counted = job
    .count({ signal: cancelling.signal, onProgress: () => undefined })
    .catch((error: Error) => settled.push(error.message))
  cancelling.abort(new Error('cancelled'))
  await counted
  expect(settled).toEqual(['cancelled'])
  await taken
  // A signal that is raised before does the same.
  await expect(job.count({ signal: cancelling.signal, onProgress: () => undefined })).rejects.toThrow('cancelled')
  await job.stop()
})
