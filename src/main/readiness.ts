import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpCallError } from '@restatedev/restate-sdk-clients'
import { analyticApi, SERVICE_NAMES } from '../contract/services.ts'
import { shareRunning } from '../gateway/caching/share-running.ts'
import type { KafkaConsumerState, LostCalls, Readiness } from '../gateway/routes/deps.ts'
import type { Standbys } from '../gateway/standbys/standbys.ts'
import type { Ingress } from '../ingress/clients.ts'
import { isAnswering } from '../store/database/is-answering.ts'
import type { TimelineState } from '../store/log/timeline.ts'
import type { Addresses } from './config/addresses.ts'
import { isListening } from './embedded/ports.ts'
import { isRestateUp } from './embedded/restate.ts'
import { pausedTasks } from './embedded/restate-queries.ts'
import { registrationOf } from './release/deployments.ts'

/** For all parts together, so that a probe is answered within 2 s. */
const ANSWER_MS_MAX = 1_800
/** For each of the two steps to the endpoint: its address, and its greeting. */
const ENDPOINT_MS_MAX = 900
/** Paused tasks are only mentioned, so a probe waits for them no longer. */
const PAUSED_MS_MAX = 1_000
/** So is the timeline of PostgreSQL, and the consumer of Kafka. */
const TIMELINE_MS_MAX = 1_000
const CONSUMER_MS_MAX = 1_000

interface Sources extends Pick<Addresses, 'ingressUrl' | 'adminUrl' | 'endpointUrl'> {
  databaseUrl: string
  ingress: Ingress
  /** The timeline of PostgreSQL, which is only mentioned. */
  timeline?: () => Promise<TimelineState>
  /** The address of the consumer of Kafka; undefined where Kafka is not read. */
  consumerUrl?: string | undefined
  /** The standbys that are read; undefined where there are none. */
  standbys?: Pick<Standbys, 'states'> | undefined
}

/**
 * Asks every part that the gateway needs, each for at most 1.8 s. Restate is asked for its health and for a call that does nothing, because
 * it is healthy also while its partitions do not run and every call waits. A call waits as well while the endpoint does not answer or
 * is not registered, which is then what is missing, and not Restate.
 */
export function createReadiness({ consumerUrl, timeline, standbys, ...sources }: Sources): () => Promise<Readiness> {
  const ready = createReadinessOfParts(sources)
  const lost = timeline === undefined ? undefined : shareRunning(() => lostCallsIn(timeline()), TIMELINE_MS_MAX)
  return async () => {
    const [parts, lostCalls, consumer] = await Promise.all([
      ready(),
      lost === undefined ? undefined : inTime(lost(), undefined, TIMELINE_MS_MAX),
      consumerUrl === undefined ? undefined : consumerStateAt(consumerUrl),
    ])
    return {
      ...parts,
      ...(lostCalls !== undefined && { lost_calls: lostCalls }),
      ...(consumer !== undefined && { kafka_consumer: consumer }),
      ...(standbys !== undefined && { standbys: standbys.states() }),
    }
  }
}

async function lostCallsIn(asked: Promise<TimelineState>): Promise<LostCalls | undefined> {
  const state = await asked.catch(() => undefined)
  if (state === undefined || !state.isChanged) return undefined
  const { current, acknowledged, found } = state
  return {
    timeline: current.timeline,
    timeline_before: acknowledged.timeline,
    calls: found?.calls ?? null,
    compared_at: found?.comparedAt.toISOString() ?? null,
  }
}

async function consumerStateAt(url: string): Promise<KafkaConsumerState | null> {
  try {
    const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(CONSUMER_MS_MAX) })
    const { status, kafka, postgresql, waiting_seconds } = (await answer.json()) as KafkaConsumerState
    return { status, kafka, postgresql, waiting_seconds }
  } catch {
    return null
  }
}

function createReadinessOfParts({ databaseUrl, ingress, ingressUrl, adminUrl, endpointUrl }: Sources): () => Promise<Readiness> {
  const ping = shareRunning(() => pingOf(ingress), ANSWER_MS_MAX)
  if (adminUrl === undefined) return createReadinessByCalls({ databaseUrl, ingressUrl }, ping)
  return async () => {
    const registered = registrationOf(adminUrl, SERVICE_NAMES)
    const [postgresql, isHealthy, pinged, endpoint, isComplete, paused] = await Promise.all([
      inTime(isAnswering(databaseUrl), false),
      inTime(isRestateUp({ ingress: ingressUrl, admin: adminUrl }), false),
      ping(),
      isEndpointServing(registered, endpointUrl),
      inTime(
        registered.then(({ isComplete }) => isComplete),
        undefined,
      ),
      pausedTasks(adminUrl, PAUSED_MS_MAX).catch(() => null),
    ])
    // A busy admin port may be silent for longer than a probe waits, while calls run.
    const registration = isComplete ?? pinged === 'answered'
    // Restate knows no such handler when the release before is registered.
    const restate = isHealthy && (pinged !== 'no answer' || !endpoint || !registration)
    return { postgresql, restate, endpoint, registration, paused_tasks: paused }
  }
}

type Pinged = 'answered' | 'unknown handler' | 'no answer'

/**
 * Without the admin port a call that does nothing is all that shows whether Restate, the registration and the endpoint work. One that is
 * not answered names the endpoint, because Restate seldom stops running calls while it is healthy.
 */
function createReadinessByCalls(
  { databaseUrl, ingressUrl }: Pick<Sources, 'databaseUrl' | 'ingressUrl'>,
  ping: () => Promise<Pinged>,
): () => Promise<Readiness> {
  return async () => {
    const [postgresql, restate, pinged] = await Promise.all([
      inTime(isAnswering(databaseUrl), false),
      inTime(isRestateUp({ ingress: ingressUrl, admin: undefined }), false),
      ping(),
    ])
    const isAnswered = pinged === 'answered'
    const registration = restate && pinged !== 'unknown handler'
    return { postgresql, restate, endpoint: isAnswered || !registration, registration, paused_tasks: null }
  }
}

async function pingOf(ingress: Ingress): Promise<Pinged> {
  try {
    await ingress.read(analyticApi, 'Ping', {}, { deadlineMs: ANSWER_MS_MAX })
    return 'answered'
  } catch (error) {
    return error instanceof HttpCallError && error.status === 404 ? 'unknown handler' : 'no answer'
  }
}

/** After a release the endpoint is at another address than the configured one. */
async function isEndpointServing(registered: ReturnType<typeof registrationOf>, configuredUrl: string): Promise<boolean> {
  const { address = configuredUrl } = await inTime<{ address: string | undefined }>(
    registered,
    { address: undefined },
    ENDPOINT_MS_MAX,
  )
  return isServing(address)
}

/** Whether a server greets as one of HTTP/2 does. A process that hangs still accepts connections, and greets none. */
async function isServing(url: string): Promise<boolean> {
  // Restate may trust other certificates than this process.
  if (url.startsWith('https:')) return isListening(url)
  const session = connectHttp2(url)
  try {
    await once(session, 'remoteSettings', { signal: AbortSignal.timeout(ENDPOINT_MS_MAX) })
    return true
  } catch {
    return false
  } finally {
    session.on('error', () => undefined)
    session.destroy()
  }
}

/** The answer, or another one when it takes longer than a probe waits. */
async function inTime<T>(answer: Promise<T>, otherwise: T, msMax = ANSWER_MS_MAX): Promise<T> {
  return Promise.race([answer, sleep(msMax, otherwise, { ref: false })])
}
