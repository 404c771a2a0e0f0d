import type { Product as CatalogProduct } from '../../contract/product.ts'
import { randomOf } from './random.ts'

/** What the demo's shop sells: six categories of ten, with ids that a person can read in a list. */
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
}

/** All products of the shop. */
export const PRODUCTS: readonly Product[] = Object.entries(CATALOG).flatMap(([category, ids]) =>
  ids.map((id) => ({ id, category: category as Category })),
)

/** All products as the gateway takes them. They never change, so sending them again changes nothing. */
export const CATALOG_PRODUCTS: readonly CatalogProduct[] = PRODUCTS.map(({ id, category }) => ({
  product_id: id,
  name: (id[0]!.toUpperCase() + id.slice(1)).replaceAll('-', ' '),
  category,
  price: 499 + 100 * randomOf(0, `price of ${id}`).below(150),
  currency: 'EUR',
  status: 'active',
  updated_at: '2026-01-01T00:00:00Z',
}))
