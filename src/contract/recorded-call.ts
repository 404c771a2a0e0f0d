import type {
  accessApi,
  alertApi,
  analyticApi,
  catalogApi,
  erasureApi,
  mergeLaneApi,
  recomputeRunApi,
  recorderApi,
  replayRunApi,
  setAsideApi,
  shopperApi,
  similarityRunApi,
  verificationRunApi,
} from './services.ts'

/*
 * The calls that change something which only PostgreSQL has. Each leaves a proof there, so that calls which Restate has completed and
 * a failover of PostgreSQL has lost are found.
 */

/** `batch`: the proof is the batch of the call. `trace`: it is a row of its own, which the release before did not leave. */
type Proof = 'batch' | 'trace'

type HandlersOf<Api extends { _handlers: object }> = Partial<Record<keyof Api['_handlers'], Proof>>

const BATCHES = {
  CreateInteraction: 'batch',
  RecordSearch: 'batch',
  RecordSearches: 'batch',
  RecordSearchClick: 'batch',
} as const
const RECORDING = {
  ...BATCHES,
  RecordPayment: 'trace',
  RecordPayments: 'trace',
  RecordEvents: 'trace',
  UpsertProducts: 'trace',
  RecordImpressions: 'trace',
} as const
const RUN = { Start: 'trace', Cancel: 'trace' } as const

interface Proofs {
  Analytic: HandlersOf<typeof analyticApi>
  Catalog: HandlersOf<typeof catalogApi>
  Recorder: HandlersOf<typeof recorderApi>
  SetAside: HandlersOf<typeof setAsideApi>
  Shopper: HandlersOf<typeof shopperApi>
  MergeLane: HandlersOf<typeof mergeLaneApi>
  Erasure: HandlersOf<typeof erasureApi>
  Access: HandlersOf<typeof accessApi>
  Alert: HandlersOf<typeof alertApi>
  RecomputeRun: HandlersOf<typeof recomputeRunApi>
  SimilarityRun: HandlersOf<typeof similarityRunApi>
  VerificationRun: HandlersOf<typeof verificationRunApi>
  ReplayRun: HandlersOf<typeof replayRunApi>
}

const PROOFS: Proofs = {
  Analytic: {
    ...BATCHES,
    RecordPayment: 'trace',
    RecordPayments: 'trace',
    RecordEvents: 'trace',
    KeepWebhook: 'trace',
    ReplayRejected: 'batch',
  },
  Catalog: { UpsertProducts: 'trace', PromoteSimilaritySettings: 'trace', PromoteSimilarity: 'trace' },
  Recorder: RECORDING,
  SetAside: RECORDING,
  // A call of Merged names no shopper, and has the proof of the merge that sent it.
  Shopper: { Merged: 'trace', NoteExport: 'trace' },
  MergeLane: { Merge: 'trace' },
  Erasure: { Start: 'trace' },
  Access: { Change: 'trace' },
  Alert: {
    SealingKey: 'trace',
    Create: 'trace',
    Change: 'trace',
    Delete: 'trace',
    RotateSecret: 'trace',
    ReplayDelivery: 'trace',
  },
  RecomputeRun: RUN,
  SimilarityRun: RUN,
  VerificationRun: RUN,
  ReplayRun: RUN,
}

/** What proves in PostgreSQL that a call of a handler was recorded; undefined for a handler that records nothing. */
export function proofOf(service: string, handler: string): Proof | undefined {
  return (PROOFS as unknown as Partial<Record<string, Partial<Record<string, Proof>>>>)[service]?.[handler]
}

/** Every handler whose calls leave a proof. */
export const PROVEN_HANDLERS: readonly { service: string; handler: string; proof: Proof }[] = Object.entries(PROOFS).flatMap(
  ([service, handlers]) =>
    Object.entries<Proof>(handlers as Record<string, Proof>).map(([handler, proof]) => ({ service, handler, proof })),
)

/** The services that record what a call of another service brought, in the place of that call. */
export const CARRIERS: readonly string[] = ['Recorder', 'SetAside']

const KEY_PREFIX = 'footfall reconcile '

/** The idempotency key of a lost call that is brought back and had none: the same one each time. */
export function reconcileKeyOf(invocationId: string): string {
  return `${KEY_PREFIX}${invocationId}`
}

/** The lost call that a key brings back; undefined for every other key. */
export function broughtBackBy(idempotencyKey: string | null | undefined): string | undefined {
  if (!idempotencyKey?.startsWith(KEY_PREFIX)) return undefined
  return idempotencyKey.slice(KEY_PREFIX.length).split(' ')[0]
}

/**
 * Calls of a release that leaves traces are kept for a second longer: by that they are told from those of the release before, whose traces must
 * not be missed. Every other retention is a whole number of two seconds.
 */
export const TRACED_SECONDS = 1

export function isTraced(retentionSeconds: number): boolean {
  return retentionSeconds % 2 === TRACED_SECONDS
}
