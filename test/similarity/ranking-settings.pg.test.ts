import { sql } from 'kysely'
import { expect } from 'vitest'
import { SimilaritySettings } from '../../src/contract/similarity-settings.ts'
import { RANKING_DEFAULTS } from '../../src/ranking/similarity/ranking-settings.ts'
import { listRankingSettings, promoteRankingSettings, rankingInForce } from '../../src/store/similarity/ranking-settings.ts'
import { addTuned, EVIDENCE } from '../harness/items/ranking-settings.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) => clear(db))

const PAGE = { limit: 50, offset: 0 }
const promoted = (settings_version: number) => ({ settings_version, actor: 'ada' })

test('the defaults are in force until others are promoted', async ({ db }) => {
  expect(await rankingInForce(db)).toEqual({ ...RANKING_DEFAULTS, settingsVersion: 0 })
  const number = await addTuned(db, { decay: 0.9 })
  expect(await rankingInForce(db)).toMatchObject({ settingsVersion: 0, decay: 0.6 })
  const { settings, total } = await listRankingSettings(db, PAGE)
  expect(total).toBe(2)
  expect(settings.map((each) => SimilaritySettings.parse(each))).toEqual(settings)
  expect(settings).toMatchObject([
    {
      ...{ settings_version: number, is_in_force: false, source: 'tuned', made_by: 'tuner', promoted_at: null },
      ...{ settings: { ...RANKING_DEFAULTS, decay: 0.9 }, evidence: EVIDENCE },
    },
    { settings_version: 0, is_in_force: true, source: 'default', settings: RANKING_DEFAULTS, evidence: null },
  ])
  expect((await listRankingSettings(db, { limit: 1, offset: 1 })).settings).toMatchObject([{ settings_version: 0 }])
})

test('settings are promoted and the defaults again, each change audited once', async ({ db }) => {
  const number = await addTuned(db, { rho: 1 })
  const request = { ...promoted(number), requested_by: 'shop' }
  const answer = await promoteRankingSettings(db, request)
  expect(answer).toMatchObject({ settings_version: number, is_in_force: true, promoted_by: 'ada', settings: { rho: 1 } })
  expect(await promoteRankingSettings(db, request)).toEqual(answer)
  expect(await rankingInForce(db)).toEqual({ ...RANKING_DEFAULTS, rho: 1, settingsVersion: number })
  expect(await promoteRankingSettings(db, promoted(0))).toMatchObject({ settings_version: 0, is_in_force: true })
  expect(await rankingInForce(db)).toEqual({ ...RANKING_DEFAULTS, settingsVersion: 0 })
  await expect(promoteRankingSettings(db, promoted(number + 1))).rejects.toThrow(`no similarity settings ${number + 1}`)
  const { rows } = await sql<{ entry: string; metadata: unknown }>`
    select actor || ' ' || action || ' ' || resource_id as entry, metadata from audit_entry
    where resource_type = 'similarity_settings' and audit_id >= (
      select max(audit_id) from audit_entry where action = 'similarity_settings.add') order by audit_id`.execute(db)
  expect(rows).toEqual([
    { entry: `tuner similarity_settings.add ${number}`, metadata: { ...RANKING_DEFAULTS, rho: 1 } },
    { entry: `ada similarity_settings.promote ${number}`, metadata: { before: 0, requested_by: 'shop' } },
    { entry: 'ada similarity_settings.promote 0', metadata: { before: number } },
  ])
})

test('of promotions at the same time one is in force in the end, and none fails', async ({ db }) => {
  const numbers = await Promise.all(Array.from({ length: 4 }, () => addTuned(db, { rho: 1 })))
  await Promise.all([...numbers, 0, ...numbers].map((number) => promoteRankingSettings(db, promoted(number))))
  const { settings } = await listRankingSettings(db, PAGE)
  expect(settings.filter((each) => each.is_in_force)).toHaveLength(1)
})
