import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { productColumns, type ProductVersion } from '../../../src/admission/product.ts'
import { CatalogProduct, type Product } from '../../../src/contract/product.ts'
import { instantOf } from '../../../src/contract/fields/time.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { upsertProducts } from '../../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../../src/store/database/connection.ts'

/** A product as it is sent, with other values where given. */
export function product(changes: Partial<Product> = {}): Product {
  return { product_id: 'p', name: 'Thing', status: 'active', updated_at: '2026-03-01T12:00:00.000Z', ...changes }
}

/** The same as the store takes it. */
export function versionOf(sent: Product, index = 0): ProductVersion {
  return { index, updatedAtMs: Date.parse(sent.updated_at), ...productColumns(sent) }
}

/** Upserts products as a new call, or as the named call. @returns the indexes of products that changed a row. */
export async function upsert(db: Database, products: readonly Product[], callName: string = randomUUID()): Promise<number[]> {
  const changed = await upsertProducts(db, callOf(callName, Buffer.from('')), products.map(versionOf))
  return changed.toSorted((one, other) => one - other)
}

const ORDER = Object.keys(CatalogProduct.shape) as (keyof CatalogProduct)[]

/** A version as JSON text: fields in the contract's order, those without a value left out. */
export function textOf(sent: Product): string {
  const pairs = ORDER.filter((name) => sent[name] !== undefined).map((name) => [name, sent[name]])
  return JSON.stringify({ ...Object.fromEntries(pairs), updated_at: instantOf(Date.parse(sent.updated_at)) })
}

/** The catalogue after exactly these versions, in any order: the slow reference. */
export function expectedCatalogue(versions: readonly Product[]): Record<string, string> {
  const newest = new Map<string, Product>()
  for (const version of versions) {
    const best = newest.get(version.product_id)
    if (best === undefined || isNewer(version, best)) newest.set(version.product_id, version)
  }
  return Object.fromEntries([...newest].map(([id, version]) => [id, textOf(version)]))
}

function isNewer(one: Product, other: Product): boolean {
  const ms = Date.parse(one.updated_at) - Date.parse(other.updated_at)
  if (ms !== 0) return ms > 0
  const [isDeleted, wasDeleted] = [one.status === 'deleted', other.status === 'deleted']
  return isDeleted === wasDeleted ? Buffer.compare(Buffer.from(textOf(one)), Buffer.from(textOf(other))) > 0 : isDeleted
}

/** The whole catalogue as it is stored, in the same form. */
export async function storedCatalogue(db: Database): Promise<Record<string, string>> {
  const { rows } = await sql<Record<keyof CatalogProduct, string | null> & { updated_at: Date }>`
    select product_id, seller_id, name, category, brand, price, currency, quantity, status, updated_at
    from catalog.product`.execute(db)
  return Object.fromEntries(
    rows.map((row) => {
      const numbers = { price: numberOf(row.price), quantity: numberOf(row.quantity), updated_at: row.updated_at.toISOString() }
      const present = Object.entries({ ...row, ...numbers }).filter(([, value]) => value !== null)
      return [row.product_id!, textOf(Object.fromEntries(present) as Product)]
    }),
  )
}

function numberOf(text: string | null): number | null {
  return text === null ? null : Number(text)
}
