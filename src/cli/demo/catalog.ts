import type { Product as CatalogProduct } from '../../contract/product.ts'
import { randomOf } from './random.ts'

/** What the demo's shop shows: six categories of ten, with ids that a person can read in a list. */
const CATALOG = {
  lighting: [
    'brass-lamp',
    'paper-lantern',
    'desk-lamp',
    'string-lights',
    'candle-jar',
    'floor-lamp',
    'night-light',
    'oil-lamp',
    'wall-sconce',
    'tea-light-set',
  ],
  kitchen: [
    'enamel-mug',
    'bread-knife',
    'copper-kettle',
    'salt-mill',
    'oak-board',
    'spice-rack',
    'pie-dish',
    'milk-jug',
    'linen-apron',
    'egg-timer',
  ],
  living: [
    'wool-blanket',
    'velvet-cushion',
    'rattan-chair',
    'coat-stand',
    'jute-rug',
    'side-table',
    'wall-clock',
    'photo-frame',
    'book-end',
    'umbrella-stand',
  ],
  garden: [
    'watering-can',
    'bird-feeder',
    'clay-pot',
    'herb-kit',
    'garden-fork',
    'hanging-basket',
    'rain-gauge',
    'seed-box',
    'wind-chime',
    'kneeling-pad',
  ],
  desk: [
    'dot-notebook',
    'fountain-pen',
    'pencil-case',
    'letter-tray',
    'desk-mat',
    'ink-bottle',
    'tape-cutter',
    'wax-seal',
    'page-marker',
    'ruler-set',
  ],
  bath: [
    'cotton-towel',
    'soap-dish',
    'bath-salts',
    'wood-brush',
    'linen-robe',
    'shaving-kit',
    'sea-sponge',
    'cork-mat',
    'hand-mirror',
    'reed-diffuser',
  ],
} as const

export type Category = keyof typeof CATALOG

export interface Product {
  id: string
  category: Category
  /** In minor units of the euro. */
  price: number
  /** Items in stock. */
  quantity: number
}

/** Four sellers: two have two categories each. */
const SELLERS: Record<Category, string> = {
  lighting: 'lumen-house',
  kitchen: 'copper-hearth',
  living: 'lumen-house',
  garden: 'green-yard',
  desk: 'quiet-room',
  bath: 'quiet-room',
}
const BRANDS: Record<Category, readonly string[]> = {
  lighting: ['Lumen', 'Havn'],
  kitchen: ['Ember & Oak', 'Tavola'],
  living: ['Havn', 'Nordvik'],
  garden: ['Thicket', 'Ember & Oak'],
  desk: ['Quill', 'Lumen'],
  bath: ['Soak', 'Nordvik'],
}

/** Products that have just arrived, so that no shopper has seen them. */
const NEW_ARRIVALS: readonly [string, Category][] = [
  ['tin-lantern', 'lighting'],
  ['waffle-iron', 'kitchen'],
  ['rain-barrel', 'garden'],
  ['bath-tray', 'bath'],
]
/** Products that the shop does not sell any more. */
const HIDDEN: readonly [string, Category][] = [
  ['lava-lamp', 'lighting'],
  ['fondue-set', 'kitchen'],
]

const IN_STOCK_MIN = 12
const IN_STOCK_MAX = 180
const LOW_STOCK_MAX = 5

/** All products of the shop that shoppers visit. The seed of a shop changes none of their fields. */
export const PRODUCTS: readonly Product[] = Object.entries(CATALOG).flatMap(([category, ids]) =>
  ids.map((id) => productOf(id, category as Category)),
)

/** All products as the gateway takes them. They never change, so sending them again changes nothing. */
export const CATALOG_PRODUCTS: readonly CatalogProduct[] = [
  ...PRODUCTS.map((product) => catalogProductOf(product, 'active')),
  ...NEW_ARRIVALS.map(([id, category]) => catalogProductOf(productOf(id, category), 'active')),
  ...HIDDEN.map(([id, category]) => catalogProductOf(productOf(id, category), 'hidden')),
]

/** One product in twelve is sold out, and one in eight is low. */
function productOf(id: string, category: Category): Product {
  const random = randomOf(0, `stock of ${id}`)
  const [isOut, isLow] = [random.chance(1 / 12), random.chance(1 / 8)]
  const stock = isLow ? 1 + random.below(LOW_STOCK_MAX) : IN_STOCK_MIN + random.below(IN_STOCK_MAX - IN_STOCK_MIN)
  return { id, category, price: 499 + 100 * randomOf(0, `price of ${id}`).below(150), quantity: isOut ? 0 : stock }
}

function catalogProductOf({ id, category, price, quantity }: Product, status: CatalogProduct['status']): CatalogProduct {
  return {
    product_id: id,
    seller_id: SELLERS[category],
    name: (id[0]!.toUpperCase() + id.slice(1)).replaceAll('-', ' '),
    category,
    brand: randomOf(0, `brand of ${id}`).pick(BRANDS[category]),
    price,
    currency: 'EUR',
    quantity,
    status,
    // A later version than that of catalogs without brands and stock.
    updated_at: '2026-02-01T00:00:00Z',
  }
}
