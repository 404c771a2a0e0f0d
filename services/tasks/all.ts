import type { TaskName } from '../../src/contract/schedule.ts'
import type { Task } from '../handler/deps.ts'
import { ARCHIVE_METRICS } from './archive-metrics.ts'
import { BRING_RECENT } from './bring-recent.ts'
import { DROP_BUCKETS } from './drop-buckets.ts'
import { DROP_DELIVERIES } from './drop-deliveries.ts'
import { DROP_IMPRESSIONS } from './drop-impressions.ts'
import { DROP_METRIC_HISTORY } from './drop-metric-history.ts'
import { DROP_REJECTED } from './drop-rejected.ts'
import { FOLD_INGEST } from './fold-ingest.ts'
import { FILL_SEARCH } from './fill-search.ts'
import { FOLD_METRICS } from './fold-metrics.ts'
import { MAKE_PARTITIONS } from './make-partitions.ts'
import { RECORD_METRICS } from './record-metrics.ts'
import { REFRESH_POPULARITY } from './refresh-popularity.ts'
import { REFRESH_SIMILARITY } from './refresh-similarity.ts'
import { REFRESH_REPORTS } from './refresh-reports.ts'
import { RETENTION } from './retention.ts'
import { ROLL_UP } from './roll-up.ts'
import { SEND_ALERTS } from './send-alerts.ts'
import { SETTLE_AGAIN } from './settle-again.ts'
import { SWEEP } from './sweep.ts'
import { SWITCH_TIE_RULE } from './switch-tie-rule.ts'
import { VERIFY_DAILY } from './verify-daily.ts'
import { WATCH_ALERTS } from './watch-alerts.ts'
import { WATCH_RUNS } from './watch-runs.ts'
import { WATCH_TIMELINE } from './watch-timeline.ts'

/** Every task by its name, which is the key of its schedule. */
export const TASKS = {
  sweep: SWEEP,
  'make-partitions': MAKE_PARTITIONS,
  'refresh-popularity': REFRESH_POPULARITY,
  retention: RETENTION,
  'roll-up': ROLL_UP,
  'refresh-reports': REFRESH_REPORTS,
  'watch-runs': WATCH_RUNS,
  'drop-buckets': DROP_BUCKETS,
  'drop-rejected': DROP_REJECTED,
  'settle-again': SETTLE_AGAIN,
  'bring-recent': BRING_RECENT,
  'refresh-similarity': REFRESH_SIMILARITY,
  'drop-impressions': DROP_IMPRESSIONS,
  'watch-alerts': WATCH_ALERTS,
  'send-alerts': SEND_ALERTS,
  'drop-deliveries': DROP_DELIVERIES,
  'fold-metrics': FOLD_METRICS,
  'record-metrics': RECORD_METRICS,
  'drop-metric-history': DROP_METRIC_HISTORY,
  'switch-tie-rule': SWITCH_TIE_RULE,
  'archive-metrics': ARCHIVE_METRICS,
  'verify-daily': VERIFY_DAILY,
  'fold-ingest': FOLD_INGEST,
  'fill-search': FILL_SEARCH,
  'watch-timeline': WATCH_TIMELINE,
} satisfies Record<TaskName, Task>
