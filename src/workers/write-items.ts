import { parentPort } from 'node:worker_threads'
import { problemOf } from '../admission/judges.ts'
import { partEndsOf } from '../admission/item-parts.ts'
import { itemsOfLargeRequest } from '../admission/request-items.ts'
import { splitItems } from '../admission/split-items.ts'
import { writeItems } from '../admission/write-items.ts'
import { DecidedError } from '../contract/decided-error.ts'
import type { ItemsAnswer, ItemsInBytes, ItemsJob } from './protocol.ts'

/** The thread that judges large bodies and writes their items, one body after the other. A fault ends it. */
const port = parentPort!

port.on('message', (job: ItemsJob) => {
  const answer = answerTo(job)
  port.postMessage(answer, 'written' in answer ? [answer.written.json.buffer] : [])
})

function answerTo(job: ItemsJob): ItemsAnswer {
  try {
    return { written: writtenOf(job) }
  } catch (error) {
    if (!(error instanceof DecidedError)) throw error
    const { code, problem, field, details } = error
    return { refused: { code, problem, field, details } }
  }
}

function writtenOf({ list, body, leaveOut, ...writing }: ItemsJob): ItemsInBytes {
  const items = itemsOfLargeRequest(Buffer.from(body.buffer, body.byteOffset, body.byteLength), list)
  const { texts, earliest, assigned } = writeItems(items, writing)
  const split = leaveOut && splitItems(texts, (text) => problemOf(leaveOut.kind, JSON.parse(text), leaveOut.nowMs))
  const recorded = split?.recorded ?? texts
  return {
    json: new TextEncoder().encode(recorded.join(',')),
    count: recorded.length,
    partEnds: partEndsOf(
      recorded,
      (text) => Buffer.byteLength(text),
      split?.indexes.map((index) => earliest[index]!) ?? earliest,
    ),
    assigned: JSON.stringify(assigned),
    split: split && { indexes: split.indexes, rejected: split.rejected },
  }
}
