import { expect, test } from 'vitest'
import { metricsCommand } from '../../src/cli/commands/metrics.ts'
import { runCommand } from '../harness/programs/command.ts'

const AT = ['--at', '2026-03-01T12:00:00Z']

test.for([
  ['seller', 's-1', '--history', ...AT],
  ['seller', 's-1', ...AT, '--history'],
  ['category', 'lamps', '--history', ...AT],
  ['low-stock', '--history', ...AT],
  ['low-stock', '--below', '5', ...AT],
  ['low-stock', '--below', '5', '--history'],
])('metrics %j is a usage error', async (args) => {
  expect(await runCommand(metricsCommand(), args, {})).toMatchObject({
    code: 2,
    text: expect.stringContaining('cannot be used with option'),
  })
})
