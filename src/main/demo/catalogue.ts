/** What the demo's shop sells: six categories of ten, with ids that a person can read in a list. */
export const CATALOGUE = {
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

export type Category = keyof typeof CATALOGUE

export interface Product {
  id: string
  category: Category
}

/** Everything that is sold. */
export const PRODUCTS: readonly Product[] = Object.entries(CATALOGUE).flatMap(([category, ids]) =>
  ids.map((id) => ({ id, category: category as Category })),
)
