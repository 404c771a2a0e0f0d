import { expect } from 'vitest'
import { kafkaCommand } from '../../src/cli/commands/kafka.ts'
import { missingTopics } from '../../src/consumer/lag-answer.ts'
import { runCommand } from '../harness/programs/command.ts'
import { pgTest as test } from '../harness/fixtures.ts'

/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1'

test('without brokers, or with brokers that do not answer, the command says so', async ({ database }) => {
  const without = await runCommand(kafkaCommand(), ['status'], { DATABASE_URL: database.url })
  expect(without).toMatchObject({ code: 1, text: expect.stringContaining('Set KAFKA_BROKERS') })
  const away = await runCommand(kafkaCommand(), ['status'], { DATABASE_URL: database.url, KAFKA_BROKERS: NOWHERE })
  expect(away).toMatchObject({ code: 1, text: expect.stringContaining('Kafka does not answer') })
})

test('a topic is missing when it has no partition with an end', () => {
  const lags = [
    { topic: 'a', end: 0n },
    { topic: 'a', end: null },
    { topic: 'b', end: null },
  ]
  expect(missingTopics(['a', 'b', 'c'], lags)).toEqual(['b', 'c'])
})
