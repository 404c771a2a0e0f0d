import { DAY_MS } from '../../contract/fields/time.ts'
import type { PaymentStatus } from '../../contract/payment.ts'
import type { PRESETS } from '../../ranking/weights.ts'
import type { Product } from './catalog.ts'
import type { Random } from './random.ts'
import { anyProduct, anyShopper, neighbourOf, type Shop, type Shopper } from './shop.ts'

interface InteractionStep {
  kind: 'interaction'
  event_type: keyof typeof PRESETS.balanced
  ref_type: 'Product' | 'Category'
  ref_id: string
  metadata?: Record<string, string>
}

interface SearchStep {
  kind: 'search'
  query: string
  product_ids: string[]
}

/** What a provider says of the payment of an order. */
export interface PaymentStep {
  kind: 'payment'
  order_id: string
  status: PaymentStatus
  currency: string
  items: { product_id: string; price: number }[]
}

type Action = InteractionStep | SearchStep | PaymentStep

/** What a shopper does, and when: in milliseconds since the start of the visit. */
export type Step = Action & { afterMs: number }

/** The steps of one shopper in time order: a visit, and later actions about the bought products. */
export interface Visit {
  shopper: Shopper
  steps: Step[]
}

/** A visit while it is being made. */
interface Story {
  random: Random
  steps: Step[]
  afterMs: number
  /** Whether the shopper came for the product that goes viral. */
  keen: boolean
}

/** What happens after this time is no part of the visit itself. */
export const LATER_MS_MIN = DAY_MS / 2
const STEP_MS_MIN = 3_000
const STEP_MS_MAX = 60_000
const PRODUCTS_MAX = 5

/** Things that the shop does not have. */
const MISSING = ['yoga mat', 'air fryer', 'gift card', 'phone case', 'led strip', 'bean bag', 'rice cooker', 'picnic basket']
/** Queries whose results lead to no click. */
const VAGUE = ['gift', 'sale', 'something for mum', 'cheap', 'under 20 euro']
const SHOWN_MAX = 6

/** The probability of each action, for ordinary and for keen shoppers. */
const CHANCE = {
  searches: [0.14, 0.08],
  comesByCategory: [0.5, 0.1],
  bounces: [0.12, 0.03],
  comparesSimilar: [0.08, 0.02],
  asksQuestion: [0.02, 0.02],
  favourites: [0.08, 0.3],
  putsIntoCart: [0.25, 0.55],
  takesOutAgain: [0.18, 0.06],
  looksAtAnother: [0.5, 0.1],
  checksOut: [0.6, 0.8],
  pays: [0.85, 0.93],
  failsToPayFirst: [0.05, 0.02],
  waitsForPayment: [0.02, 0.01],
  paysInDollars: [0.15, 0.15],
  cancels: [0.04, 0.02],
} as const
/** Probabilities around a search. */
const SEARCH = { findsNothing: 0.12, isVague: 0.1, isCapitalised: 0.1, isClicked: 0.8 }
/** Probabilities of a buyer's later actions. A buyer that rates low often returns the product; few others do. */
const LATER = { rates: 0.5, likes: 0.7, dislikes: 0.15, writes: 0.4, returnsDisliked: 0.7, returns: 0.1, asksForMoney: 0.8 }

/** A visit of a random shopper; `drawnTo` is the product that goes viral, if the shopper came for it. */
export function visitOf(shop: Shop, random: Random, drawnTo?: Product): Visit {
  const shopper = anyShopper(random)
  const story: Story = { random, steps: [], afterMs: 0, keen: drawnTo !== undefined }
  const cart: Product[] = []
  let product = drawnTo ?? anyProduct(shop, random)
  for (let seen = 1; ; seen++) {
    find(story, shop, product)
    if (consider(story, product) && !cart.includes(product)) cart.push(product)
    if (seen === PRODUCTS_MAX || !happens(story, 'looksAtAnother')) break
    product = anyProduct(shop, random)
  }
  const order = checkOut(story, cart)
  if (shopper.account_id !== undefined) for (const bought of order?.products ?? []) lookBack(story, order!, bought)
  return { shopper, steps: story.steps.sort((a, b) => a.afterMs - b.afterMs) }
}

/** Finds a product by a search, through its category, or by a link. */
function find(story: Story, shop: Shop, product: Product): void {
  const { random } = story
  if (happens(story, 'searches')) {
    if (random.chance(SEARCH.findsNothing)) add(story, { kind: 'search', query: random.pick(MISSING), product_ids: [] })
    if (random.chance(SEARCH.isVague))
      add(story, { kind: 'search', query: random.pick(VAGUE), product_ids: shownFor(story, shop, anyProduct(shop, random)) })
    const query = product.id.split('-').at(-1)!
    add(story, {
      kind: 'search',
      query: random.chance(SEARCH.isCapitalised) ? query.toUpperCase() : query,
      product_ids: shownFor(story, shop, product),
    })
    if (random.chance(SEARCH.isClicked)) note(story, 'click_from_search', product.id, { metadata: { query } })
  } else if (happens(story, 'comesByCategory')) {
    note(story, 'view', product.category, { refType: 'Category' })
    note(story, 'click_from_category', product.id)
  }
}

/** The results of a search: the product, and others of its category. */
function shownFor({ random }: Story, shop: Shop, product: Product): string[] {
  const others = Array.from({ length: random.below(SHOWN_MAX) }, () => neighbourOf(shop, product, random).id)
  return [...new Set([product.id, ...others])]
}

/** Looks at a product; true when the product is in the cart afterwards. */
function consider(story: Story, product: Product): boolean {
  if (happens(story, 'bounces')) {
    note(story, 'view_bounce', product.id)
    return false
  }
  note(story, 'view', product.id)
  if (happens(story, 'comparesSimilar')) note(story, 'view_similar_products', product.id)
  if (happens(story, 'asksQuestion')) note(story, 'ask_question', product.id)
  if (happens(story, 'favourites')) note(story, 'add_to_favorites', product.id)
  if (!happens(story, 'putsIntoCart')) return false
  note(story, 'add_to_cart', product.id)
  if (!happens(story, 'takesOutAgain')) return true
  note(story, 'remove_from_cart', product.id)
  return false
}

/** An order that was paid. */
interface Order {
  payment: Omit<PaymentStep, 'status' | 'items'>
  products: readonly Product[]
}

/** Buys the cart, or not. @returns the order, unless there is none or it was cancelled. */
function checkOut(story: Story, cart: readonly Product[]): Order | undefined {
  const { random } = story
  if (cart.length === 0 || !happens(story, 'checksOut')) return undefined
  const order_id = `o-${Buffer.from(random.bytes(6)).toString('hex')}`
  const payment = { kind: 'payment' as const, order_id, currency: happens(story, 'paysInDollars') ? 'USD' : 'EUR' }
  for (const { id } of cart) note(story, 'checkout_started', id, { metadata: { order_id } })
  if (!happens(story, 'pays')) return undefined
  const items = cart.map(({ id, price }) => ({ product_id: id, price }))
  const report = (status: PaymentStatus) => add(story, { ...payment, status, items })
  if (happens(story, 'waitsForPayment')) {
    report('pending')
    return undefined
  }
  if (happens(story, 'failsToPayFirst')) report('failed')
  report('success')
  if (!happens(story, 'cancels')) return { payment, products: cart }
  report('cancelled')
  return undefined
}

/** Half a day to two days later: perhaps a rating, a review, a return and a refund. */
function lookBack({ random, steps, afterMs, keen }: Story, { payment }: Order, { id, price }: Product): void {
  const later: Story = { random, steps, keen, afterMs: afterMs + LATER_MS_MIN + random.below(2 * DAY_MS) }
  const rates = random.chance(LATER.rates)
  const dislikes = rates && random.chance(LATER.dislikes)
  if (rates) {
    note(later, dislikes ? 'rating_low' : random.chance(LATER.likes) ? 'rating_high' : 'rating_medium', id)
    if (random.chance(LATER.writes)) note(later, 'write_review', id)
  }
  if (!random.chance(dislikes ? LATER.returnsDisliked : LATER.returns)) return
  note(later, 'return_product', id, { waitMs: random.below(DAY_MS) })
  if (!random.chance(LATER.asksForMoney)) return
  add(later, { ...payment, status: 'refunded', items: [{ product_id: id, price }] }, random.below(DAY_MS))
}

interface Details {
  refType?: InteractionStep['ref_type']
  metadata?: Record<string, string>
  waitMs?: number
}

function note(story: Story, type: InteractionStep['event_type'], id: string, details: Details = {}): void {
  const { refType = 'Product', metadata, waitMs } = details
  add(story, { kind: 'interaction', event_type: type, ref_type: refType, ref_id: id, ...(metadata && { metadata }) }, waitMs)
}

function add(story: Story, action: Action, waitMs = pause(story.random)): void {
  story.afterMs += waitMs
  story.steps.push({ ...action, afterMs: story.afterMs })
}

function pause(random: Random): number {
  return STEP_MS_MIN + random.below(STEP_MS_MAX - STEP_MS_MIN)
}

function happens({ random, keen }: Story, action: keyof typeof CHANCE): boolean {
  return random.chance(CHANCE[action][keen ? 1 : 0])
}
