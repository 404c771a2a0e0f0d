import { expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'

test('an archive of the log needs two connections', () => {
  const settings = { ARCHIVE_LOG: 'on', DATABASE_CONNECTIONS: '1' }
  expect(() => readConfig(settings)).toThrow('Set DATABASE_CONNECTIONS to 2 or more: ARCHIVE_LOG=on needs two.')
  expect(() => readConfig({ ...settings, DATABASE_CONNECTIONS: '2' })).not.toThrow()
  expect(() => readConfig({ ...settings, ARCHIVE_LOG: 'off' })).not.toThrow()
})
