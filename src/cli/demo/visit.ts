import { DAY_MS } from '../../contract/fields/time.ts'
import type { PRESETS } from '../../ranking/weights.ts'
import type { Product } from './catalog.ts'
import type { Random } from './random.ts'
import { anyProduct, anyShopper, neighbourOf, type Shop, type Shopper } from './shop.ts'

/** An action of a shopper. */
export interface Step {
  /** Milliseconds since the start of the visit. */
  afterMs: number
  event_type: keyof typeof PRESETS.balanced
  ref_type: 'Product' | 'Category'
  ref_id: string
  metadata?: Record<string, string>
}

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

const STEP_MS_MIN = 3_000
const STEP_MS_MAX = 60_000
const PRODUCTS_MAX = 5

/** The probability of each action, for ordinary and for keen shoppers. */
const CHANCE = {
  searches: [0.4, 0.25],
  comesByCategory: [0.5, 0.1],
  bounces: [0.12, 0.03],
  comparesSimilar: [0.08, 0.02],
  asksQuestion: [0.02, 0.02],
  favourites: [0.08, 0.3],
  putsIntoCart: [0.25, 0.55],
  takesOutAgain: [0.18, 0.06],
  looksAtAnother: [0.5, 0.1],
  checksOut: [0.6, 0.8],
  pays: [0.8, 0.9],
  cancels: [0.04, 0.02],
} as const
/** Probabilities of a buyer's later actions. A buyer that rates low often returns the product; few others do. */
const LATER = { rates: 0.5, likes: 0.7, dislikes: 0.12, writes: 0.4, returnsDisliked: 0.6, returns: 0.08, asksForMoney: 0.5 }

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
  const kept = checkOut(story, cart)
  if (shopper.account_id !== undefined) for (const bought of kept) lookBack(story, bought)
  return { shopper, steps: story.steps.sort((a, b) => a.afterMs - b.afterMs) }
}

/** Finds a product by a search, which also shows other results, through its category, or by a link. */
function find(story: Story, shop: Shop, product: Product): void {
  const { random } = story
  if (happens(story, 'searches')) {
    const metadata = { query: product.id.split('-').at(-1)! }
    const shown = new Set([product.id, neighbourOf(shop, product, random).id, neighbourOf(shop, product, random).id])
    // All results of a page appear at the same time.
    story.afterMs += pause(random)
    for (const id of shown) note(story, 'product_impression', id, { metadata, waitMs: 0 })
    note(story, 'click_from_search', product.id, { metadata })
  } else if (happens(story, 'comesByCategory')) {
    note(story, 'view', product.category, { refType: 'Category' })
    note(story, 'click_from_category', product.id)
  }
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

/** Buys the cart, or not. @returns the products that were bought and not cancelled. */
function checkOut(story: Story, cart: readonly Product[]): readonly Product[] {
  if (cart.length === 0 || !happens(story, 'checksOut')) return []
  const order = { metadata: { order_id: `o-${Buffer.from(story.random.bytes(4)).toString('hex')}` } }
  for (const { id } of cart) note(story, 'checkout_started', id, order)
  if (!happens(story, 'pays')) return []
  for (const { id } of cart) note(story, 'purchase', id, order)
  if (!happens(story, 'cancels')) return cart
  for (const { id } of cart) note(story, 'cancel_order', id, order)
  return []
}

/** Days later: perhaps a rating, a review, a return and a refund. */
function lookBack({ random, steps, afterMs, keen }: Story, { id }: Product): void {
  const later: Story = { random, steps, keen, afterMs: afterMs + DAY_MS + random.below(3 * DAY_MS) }
  const rates = random.chance(LATER.rates)
  const dislikes = rates && random.chance(LATER.dislikes)
  if (rates) {
    note(later, dislikes ? 'rating_low' : random.chance(LATER.likes) ? 'rating_high' : 'rating_medium', id)
    if (random.chance(LATER.writes)) note(later, 'write_review', id)
  }
  if (!random.chance(dislikes ? LATER.returnsDisliked : LATER.returns)) return
  note(later, 'return_product', id, { waitMs: random.below(DAY_MS) })
  if (random.chance(LATER.asksForMoney)) note(later, 'refund_requested', id, { waitMs: random.below(DAY_MS) })
}

interface Details {
  refType?: Step['ref_type']
  metadata?: Record<string, string>
  waitMs?: number
}

function note(story: Story, type: Step['event_type'], id: string, { refType = 'Product', metadata, waitMs }: Details = {}): void {
  story.afterMs += waitMs ?? pause(story.random)
  story.steps.push({ afterMs: story.afterMs, event_type: type, ref_type: refType, ref_id: id, ...(metadata && { metadata }) })
}

function pause(random: Random): number {
  return STEP_MS_MIN + random.below(STEP_MS_MAX - STEP_MS_MIN)
}

function happens({ random, keen }: Story, action: keyof typeof CHANCE): boolean {
  return random.chance(CHANCE[action][keen ? 1 : 0])
}
