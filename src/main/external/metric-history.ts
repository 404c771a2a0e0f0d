import type { MetricHistory } from '../../contract/metric-history.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { postgresHistory } from '../../store/metrics/postgres-history.ts'
import type { Config } from '../config/config.ts'
import { dynamoPlaceOf } from '../config/metrics-store.ts'

interface OpenHistory {
  /** In PostgreSQL, by this connection. */
  of: (db: Queryable) => MetricHistory
  /** Ends connections of its own. */
  close: () => void
}

/** The history of metrics, where METRICS_STORE says. */
export async function openMetricHistory(config: Config): Promise<OpenHistory> {
  const place = dynamoPlaceOf(config)
  if (place === undefined) return { of: postgresHistory, close: () => undefined }
  // Loaded only where it is used: it takes some 20 MB and 0.5 s.
  const { createDynamoHistory } = await import('../../external/dynamo-history.ts')
  const history = createDynamoHistory(place)
  return { of: () => history, close: history.close }
}
