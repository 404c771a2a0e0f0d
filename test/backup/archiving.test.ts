import { expect, test } from 'vitest'
import { createArchivingCheck } from '../../src/main/embedded/watch-archiving.ts'

test('a log that cannot be archived is told once, and once when it can again', async () => {
  const said: string[] = []
  const states = [false, true, true, false, false, true]
  const check = createArchivingCheck(
    '/srv/wal',
    (line) => said.push(line),
    async () => ({ isFailing: states.shift()!, file: 'F' }),
  )
  while (states.length > 0) await check()
  const away =
    'PostgreSQL cannot archive F into /srv/wal (postgres.log says why). It keeps its log until it can, which fills its disk.'
  expect(said).toEqual([away, 'PostgreSQL archives into /srv/wal again.', away])
})
