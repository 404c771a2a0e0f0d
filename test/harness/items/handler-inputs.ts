import { createHmac, randomUUID } from 'node:crypto'
import { makeSealingKeys, sealed } from '../../../src/admission/sealed-secret.ts'

const occurred_at = '2026-03-01T12:00:00.000Z'
const view = { event_id: randomUUID(), occurred_at, account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const search = { event_id: randomUUID(), occurred_at, query: 'lamp', product_ids: ['lamp'] }
const payment = {
  provider: 'acme-pay',
  callback_id: 'cb-1',
  payment_ref: 'pay-1',
  order_id: 'order-1',
  status: 'success',
  currency: 'EUR',
  account_id: 'ada',
  occurred_at,
  items: [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }],
}
const run = '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'
/** The keys that the database must have for the sealed secret of these inputs. */
export const SEALING_KEYS = await makeSealingKeys()
const sealed_secret = sealed('whsec_0123456789abcdef0123456789abcdef', SEALING_KEYS.publicKey)
const change = { alert_id: run, actor: 'test' }
/** The secret that the database must have for the signed change of these inputs. */
export const SIGNING_SECRET = Buffer.alloc(32, 7)
const signedRequest = JSON.stringify({ at: new Date().toISOString(), caller: {}, change: 'note_use', keys: {}, sessions: {} })
const signature = createHmac('sha256', SIGNING_SECRET).update(signedRequest).digest('hex')

const directInputs: Record<string, object> = {
  'Analytic/CreateInteraction': { interactions: [view] },
  'Analytic/RecordSearch': search,
  'Analytic/RecordSearches': { searches: [search] },
  'Analytic/RecordSearchClick': { occurred_at, query: 'lamp', product_id: 'lamp', session_id: 's' },
  'Analytic/RecordPayment': payment,
  'Analytic/RecordPayments': { callbacks: [{ ...payment, callback_id: 'cb-2', payment_ref: 'pay-2' }] },
  'Analytic/KeepWebhook': {
    webhook: { provider: 'acme-pay', content_type: 'text/xml', headers: {}, form: 'text', body: '<a/>' },
    sha256: '0'.repeat(64),
    code: 'refused',
    message: 'no product',
  },
  'Analytic/SellerDashboard': { seller_id: 'north' },
  'Analytic/Sellers': {},
  'Analytic/RecordEvents': {
    events: [{ source: 'acme-pay', external_ref: 'e-1', entity_id: 'order-1', status: 'success', occurred_at }],
  },
  'Analytic/RunReport': { report_slug: 'volume-by-period' },
  'Analytic/ReplayRejected': { batch_id: '1', index: 0 },
  'Analytic/Verify': {},
  'Analytic/FanOut': { batch_id: '1', from: occurred_at, to: occurred_at, call: '0'.repeat(32) },
  'Analytic/Ping': {},
  'Popularity/Top': {},
  'Popularity/Popular': {},
  'Popularity/Get': { product_id: 'lamp' },
  'Popularity/Explain': { product_id: 'lamp' },
  'Catalog/UpsertProducts': { products: [{ product_id: 'lamp', name: 'Lamp', updated_at: occurred_at }] },
  'Catalog/GetProduct': { product_id: 'lamp' },
  'Catalog/SearchProducts': { query: 'lamp' },
  'Catalog/Categories': {},
  'Catalog/Brands': {},
  'Catalog/Metrics': { seller_id: 'north' },
  'Catalog/Preferences': { shopper_id: 'account:ada' },
  'Catalog/PromoteSimilaritySettings': { settings_version: 0, actor: 'test' },
  'Catalog/PromoteSimilarity': { version: 1, actor: 'test' },
  'Catalog/Similar': { product_id: 'lamp' },
  'Catalog/Recommend': { account_id: 'ada' },
  'Catalog/Rerank': { account_id: 'ada', items: [{ product_id: 'lamp', score: 1 }] },
  'Shopper/Context': { shopper_id: 'account:ada' },
  'Shopper/Merge': { session_id: 's', account_id: 'ada' },
  'Shopper/NoteExport': { export_id: run, status: 'started', actor: 'test' },
  [`RecomputeRun/${run}/Start`]: {
    report_slug: 'volume-by-period',
    window: 'day',
    date_from: '2026-03-01',
    date_to: '2026-03-01',
    actor: 'test',
  },
  [`RecomputeRun/${run}/Status`]: {},
  [`RecomputeRun/${run}/Cancel`]: { actor: 'test' },
  [`SimilarityRun/${run}/Start`]: { actor: 'test' },
  [`SimilarityRun/${run}/Status`]: {},
  [`SimilarityRun/${run}/Cancel`]: { actor: 'test' },
  [`ReplayRun/${run}/Start`]: { code: 'in_future', actor: 'test' },
  [`ReplayRun/${run}/Status`]: {},
  [`ReplayRun/${run}/Cancel`]: { actor: 'test' },
  [`VerificationRun/${run}/Start`]: { actor: 'test' },
  [`VerificationRun/${run}/Status`]: {},
  [`VerificationRun/${run}/Cancel`]: { actor: 'test' },
  [`Erasure/${run}/Start`]: { shopper_id: 'account:nobody', actor: 'test' },
  [`Erasure/${run}/Status`]: {},
  'Alert/SealingKey': {},
  'Alert/Create': {
    ...{ alert_id: run, name: 'Lamps run out', kind: 'low_stock', below: 10, url: 'https://hooks.example.com/stock' },
    ...{ sealed_secret, actor: 'test' },
  },
  'Alert/Change': { ...change, is_on: false },
  'Alert/RotateSecret': { ...change, secret_id: run, sealed_secret },
  'Alert/ReplayDelivery': { ...change, delivery_id: run },
  'Alert/Delete': change,
  'Access/Change': { request: signedRequest, signature },
  'Schedule/sweep/Start': { every_ms: 3_600_000 },
  'Schedule/sweep/Info': {},
  'Schedule/sweep/Stop': {},
}

/** A recorder takes what these handlers take. */
const RECORDING =
  /^(Analytic\/(CreateInteraction|RecordSearch|RecordSearches|RecordSearchClick|RecordPayment|RecordPayments|RecordEvents)|Catalog\/UpsertProducts)$/
const recorderInputs = Object.entries(directInputs)
  .filter(([path]) => RECORDING.test(path))
  .map(([path, input]) => [path.replace(/.*\//, 'Recorder/0/'), input] as const)

/** A valid input of each public handler, by its address at the ingress. */
export const HANDLER_INPUTS: Record<string, object> = {
  ...directInputs,
  ...Object.fromEntries(recorderInputs),
  'Recorder/impressions/RecordImpressions': {
    impressions: [
      {
        ...{ recommendation_id: randomUUID(), shown_at: occurred_at, shopper_id: 'account:ada', strategy: 'popular' },
        ...{ blend: 'similarity', similarity_version: null, product_ids: ['lamp'] },
      },
    ],
  },
  'RecorderRoom/0/Reserve': { gateway: 'gateway 1', bytes: 1_000, bytes_max: 1_000_000 },
}
export const PUBLIC_HANDLERS = Object.keys(HANDLER_INPUTS)
