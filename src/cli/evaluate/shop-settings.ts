import type { EngineSettings } from '../../ranking/evaluation/engine.ts'
import { rankingOf } from '../../ranking/similarity/ranking-settings.ts'
import type { VersionSettings } from '../../ranking/similarity/version-settings.ts'

/** How the next version of a shop ranks, as an evaluation takes it. */
export function engineSettingsOf(version: VersionSettings): Partial<EngineSettings> {
  const { window, neighboursMax, shopperEventsMax, productEventsMax, botEventsPerDay } = version
  return { ...rankingOf(version), window, neighboursMax, shopperEventsMax, productEventsMax, botEventsPerDay }
}
