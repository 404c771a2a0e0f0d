/** What shops write between the parts of a category path: "Home > Lamps", "home/lamps", "home|lamps". */
const PATH = /\s*[>/|]\s*/

/** The nodes of a category, from the root to itself: "home/lamps" is in "home" and in "home/lamps". */
export function categoryNodes(category: string): string[] {
  const parts = category.split(PATH)
  return parts.map((_, depth) => parts.slice(0, depth + 1).join('/')).filter((node) => node !== '')
}

/** The attributes of a product by which others are like it, each once. */
export function attributesOfProduct(category: string | null, brand: string | null): string[] {
  const nodes = category === null ? [] : categoryNodes(category).map((node) => `category:${node}`)
  return [...new Set(brand === null ? nodes : [...nodes, `brand:${brand}`])]
}
