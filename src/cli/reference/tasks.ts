import type { RetentionSettings } from '../../../services/handler/deps.ts'
import { TASKS } from '../../../services/tasks/all.ts'
import type { Config } from '../../main/config/config.ts'
import { durationOf } from '../terminal/duration.ts'
import { code, pageOf, plain, tableOf } from './markdown.ts'

const INTRO = `Footfall runs these tasks by the clock ([schedules](operating.md#schedules)), and no task runs twice at the same time. \`./footfall schedules\` and
\`GET /api/v1/schedules\` show the next slot of each task and the outcome of its last run.`

const SETTING_OF: Record<keyof RetentionSettings, keyof Config> = {
  retentionDays: 'RETENTION_DAYS',
  rollUpAfterDays: 'ROLL_UP_AFTER_DAYS',
  rejectedDays: 'REJECTED_DAYS',
  ignoredWebhookDays: 'IGNORED_WEBHOOK_DAYS',
  impressionDays: 'IMPRESSION_DAYS',
  deliveryDays: 'DELIVERY_DAYS',
}
const NO_SETTINGS: RetentionSettings = {
  retentionDays: undefined,
  rollUpAfterDays: undefined,
  rejectedDays: 1,
  ignoredWebhookDays: 1,
  impressionDays: 1,
  deliveryDays: 1,
}

/** Every periodic task. */
export function tasksPage(): string {
  const rows = Object.entries(TASKS).map(([name, { everyMs, isOn, description }]) => [
    code(name),
    durationOf(everyMs),
    whenOn(isOn),
    plain(description),
  ])
  return pageOf({
    title: 'Tasks',
    intro: INTRO,
    source: 'services/tasks',
    sections: [tableOf(['task', 'every', 'on', 'description'], rows)],
  })
}

/** Asks with each setting alone, because a task says only whether it is on. */
function whenOn(isOn: (settings: RetentionSettings) => boolean): string {
  if (isOn(NO_SETTINGS)) return 'always'
  const settings = (Object.keys(SETTING_OF) as (keyof RetentionSettings)[]).filter((key) => isOn({ ...NO_SETTINGS, [key]: 1 }))
  return `with ${settings.map((key) => code(SETTING_OF[key])).join(' or ')}`
}
